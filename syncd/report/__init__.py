"""Compliance figures, the weekly report, the texts of mails, and exports for auditors."""
