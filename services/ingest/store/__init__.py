"""Tables and queries of ingest; every function takes ``tx`` first."""
