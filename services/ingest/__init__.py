"""Ingest: takes purchases and returns from tills and apps, each exactly once."""
