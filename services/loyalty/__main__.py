"""``python -m services.loyalty``."""

from services.loyalty.app import service
from shared.cli import run

if __name__ == "__main__":
    run(service())
