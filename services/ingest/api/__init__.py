"""Routes of ingest: parse, one handler, answer."""
