"""What people are told while an incident is open: owed updates, texts for chat and customers, the impact."""
