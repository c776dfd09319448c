"""``python -m services.notify {api|consumer|relay|jobs|migrate|all}``."""

from services.notify.app import service
from shared.cli import run

if __name__ == "__main__":
    run(service())
