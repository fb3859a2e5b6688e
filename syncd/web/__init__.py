"""The HTTP listener: health, metrics and webhook receivers, on loopback unless the settings say otherwise."""
