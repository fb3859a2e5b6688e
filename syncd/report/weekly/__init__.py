"""The weekly report: its figures, its words and its four formats."""
