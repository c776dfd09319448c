"""Run the migrations of the tests' own service."""

from shared.db.migrate import run

run()
