"""Pure rules of the offers service: no I/O, no async, no pydantic."""
