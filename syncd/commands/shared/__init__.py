"""What several commands need: setup, output, asking the daemon, exit codes."""
