"""Where everything of one local stack lies; ``.local`` in the checkout unless told otherwise."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Scope = Literal["all", "infra"]

SERVICES = ("ingest", "loyalty", "offers", "notify")
API_KEYS = ("ADMIN_KEY", "STAFF_KEY", "MARKETER_KEY", "APP_KEY", "TERMINAL_KEY")

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of a stack."""

    root: Path

    @property
    def env(self) -> Path:
        """KEY=VALUE: what was chosen, for people, demo, bench and tests."""
        return self.root / "env"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def state(self) -> Path:
        """What the supervisor last knew; read by ``status``, ``up`` and ``down``."""
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        """Held by the one supervisor."""
        return self.root / "supervisor.lock"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka" / "data"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"


def default_layout() -> Layout:
    """Return the stack of this checkout; PERENNIAL_LOCAL_DIR names another folder."""
    return Layout(Path(os.environ.get("PERENNIAL_LOCAL_DIR") or CHECKOUT / ".local").resolve())


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` as a whole, readable by its owner alone: it may hold secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.rename(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty if the file is not there."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


def read_env(layout: Layout) -> dict[str, str]:
    """Return ``.local/env`` as it stands, empty if the file is not there."""
    if not layout.env.exists():
        return {}
    lines = layout.env.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
