"""``python -m services.ingest {api|consumer|relay|jobs|migrate|all|…}``."""

from services.ingest.app import service
from shared.cli import imports, run

run(service(), commands={"import": imports.upload})
