"""Measurements: always a ratio against a peer and against the limit, in one run."""
