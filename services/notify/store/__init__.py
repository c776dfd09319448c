"""Tables and queries. Every function takes ``tx`` first."""
