"""What keeps the daemon running: brakes, health, watchdog, logs, systemd."""
