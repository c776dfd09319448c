"""Use cases of the offers service."""
