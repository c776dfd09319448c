"""docker-compose.yml, parsed, for the tests that hold it to its rules."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ingest", "loyalty", "offers", "notify")
PROCESSES = ("api", "consumer", "relay", "jobs")
REFERENCE = re.compile(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)\}")


def load(path: str) -> Any:
    """Return a YAML (or JSON) file of the checkout."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def with_defaults(text: str) -> str:
    """Fill in ${NAME:-default} as `docker compose` does where nothing is set."""
    return REFERENCE.sub(lambda found: found["default"], text)


COMPOSE: dict[str, Any] = load("docker-compose.yml")
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, one in CONTAINERS.items() if "build" in one)
LASTING = sorted(name for name in CONTAINERS if not name.endswith("-migrate"))


def environment(name: str) -> dict[str, str]:
    """Return what a container is told."""
    told: dict[str, str] = CONTAINERS[name].get("environment", {})
    return told


def service_of(name: str) -> str:
    """Return the service of one of our containers."""
    return name.rpartition("-")[0]
