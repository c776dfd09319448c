"""Use cases of ingest: load, decide, store, announce."""
