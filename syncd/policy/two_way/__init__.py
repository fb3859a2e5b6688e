"""The rules for what travels from the ticket to the incident, and for copied texts."""
