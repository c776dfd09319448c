"""Alembic's entry point; all services share the runner."""

from shared.db.migrate import run

run()
