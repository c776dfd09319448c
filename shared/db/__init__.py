"""Postgres: engine, transactions, and the tables of the plumbing."""

from shared.db.engine import Database, Tx, open_database
from shared.db.retry import run_unit

__all__ = ["Database", "Tx", "open_database", "run_unit"]
