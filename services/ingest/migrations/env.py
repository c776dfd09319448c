"""Alembic's entry point; the work is in ``shared.db.migrate``."""

from shared.db.migrate import run

run()
