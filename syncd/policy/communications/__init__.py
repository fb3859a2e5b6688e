"""The communication about an open incident: owed updates, texts for chat and customers, the impact."""
