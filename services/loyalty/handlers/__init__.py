"""Use cases: load, decide, store, announce."""
