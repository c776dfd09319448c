"""Consent, preferences, and every message to a member: sent, or not sent with the reason."""
