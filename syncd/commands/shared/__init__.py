"""Parts that several commands use: setup, output, asking the daemon, exit codes."""
