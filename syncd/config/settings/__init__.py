"""Settings from the environment, `.env` and systemd credentials."""
