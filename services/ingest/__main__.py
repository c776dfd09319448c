"""``python -m services.ingest {api|consumer|relay|jobs|migrate|all|…}``."""

from services.ingest.app import service
from shared.cli import run

run(service())
