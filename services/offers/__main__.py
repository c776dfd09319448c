"""``python -m services.offers {api|consumer|relay|jobs|migrate|all}``."""

from services.offers.app import service
from shared.cli import run

if __name__ == "__main__":
    run(service())
