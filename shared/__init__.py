"""Contracts and plumbing that every service uses; no business rules live here."""
