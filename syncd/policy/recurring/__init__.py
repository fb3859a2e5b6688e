"""Recurring duties, GameDays and reviews: their periods, their issues and their verdicts."""
