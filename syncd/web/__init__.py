"""Life signs and webhook receivers, on loopback unless the settings say otherwise."""
