"""Jobs beside the loop: resync, reload, requests from the command line, reports, nightly work."""
