"""The running of the daemon: brakes, health, watchdog, logs, systemd."""
