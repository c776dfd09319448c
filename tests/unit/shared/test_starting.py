"""What a process imports before it works: sixteen of them start together on a small machine."""

import subprocess
import sys

ALONE = """
import sys
import shared.cli
from services.ingest import app as ingest
from services.loyalty import app as loyalty
from services.notify import app as notify
from services.offers import app as offers
for one in (ingest, loyalty, notify, offers):
    one.service()
print(*sorted(sys.modules))
"""


def test_only_who_serves_imports_fastapi_and_routes_and_only_migrate_alembic() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], check=True, capture_output=True, text=True)
    found = set(done.stdout.split())
    assert "shared.kafka.consumer" in found
    assert not {name for name in found if name.split(".")[0] in {"alembic", "fastapi"}}
    assert not {
        name for name in found if ".api" in name and name.startswith(("services", "shared"))
    }
