"""Settings: environment, `.env`, systemd credentials."""
