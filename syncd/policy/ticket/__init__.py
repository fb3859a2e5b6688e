"""The rules for the ticket: create, fields, status, close gate, automatic close."""
