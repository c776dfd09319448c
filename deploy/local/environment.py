"""What the stack's processes are told: ports, URLs, passwords and keys, as KEY=VALUE."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deploy.local import keys, ports
from deploy.local.layout import (
    API_KEYS,
    SERVICES,
    Layout,
    read_env,
    read_json,
    write_private,
)
from deploy.local.provision import Roles

SERVICE_PORTS = {"ingest": 8001, "loyalty": 8002, "offers": 8003, "notify": 8004}
KAFKA_PORT = 9092
POSTGRES_PORT = 5432
SMTP_PORT = 1025
ANY_PORTS = "PERENNIAL_ANY_PORTS"
"""Set to 1: no usual ports, so that several stacks run side by side (tests do)."""
TERMINAL = {"TERMINAL_STORE_ID": "demo-store", "TERMINAL_ID": "till-1"}
IDENTITY_READERS = ("ingest", "loyalty")
KEY_HOLDER = "ingest"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The choices of one start. ``own`` names the variables that this stack itself made."""

    values: Mapping[str, str]
    own: frozenset[str]
    roles: Mapping[str, Roles]
    postgres_password: str
    postgres_port: int
    kafka_port: int
    smtp_port: int

    @property
    def starts_kafka(self) -> bool:
        return "KAFKA_BOOTSTRAP_SERVERS" in self.own

    @property
    def starts_postgres(self) -> bool:
        return bool(self.provisioned)

    @property
    def provisioned(self) -> tuple[str, ...]:
        """Services whose database is ours to make."""
        return tuple(name for name in SERVICES if _database_variable(name) in self.own)


def choose(layout: Layout, environ: Mapping[str, str]) -> Chosen:
    """Decide for one start: what the environment gives is used, the rest is ours.

    Variables that merely repeat what an earlier start wrote to ``.local/env`` (a shell that
    sourced it) do not count as given.
    """
    kept = keys.load(layout)
    given = _given(layout, environ)
    choose_port = _any_port if environ.get(ANY_PORTS) else ports.choose
    kafka, postgres, smtp = map(choose_port, (KAFKA_PORT, POSTGRES_PORT, SMTP_PORT))
    ours = {"KAFKA_BOOTSTRAP_SERVERS": f"{ports.LOOPBACK}:{kafka}"}
    for name in SERVICES:
        if _database_variable(name) in given:
            continue
        base = f"@{ports.LOOPBACK}:{postgres}/{name}"
        role = kept.roles[name]
        ours[_database_variable(name)] = (
            f"postgresql://{role.runtime}:{role.runtime_password}{base}"
        )
        ours[f"{name.upper()}_MIGRATION_DATABASE_URL"] = (
            f"postgresql://{role.owner}:{role.owner_password}{base}"
        )
    ours |= _service_addresses(choose_port) | TERMINAL | dict(kept.variables)
    ours |= {
        "NOTIFY_SMTP_HOST": ports.LOOPBACK,
        "NOTIFY_SMTP_PORT": str(smtp),
        "NOTIFY_MAIL_FROM": "shop@perennial.test",
        "MAIL_DIR": str(layout.mail),
        # The demo tells months of history as if it had just come; nobody is there to accept it.
        "INGEST_REVIEW_AFTER_DAYS": "3650",
    }
    return Chosen(
        values=ours | given,
        own=frozenset(ours.keys() - given.keys()),
        roles=kept.roles,
        postgres_password=kept.postgres_password,
        postgres_port=postgres,
        kafka_port=kafka,
        smtp_port=smtp,
    )


def write(layout: Layout, chosen: Chosen) -> None:
    """Write ``.local/env``; a shell can source it."""
    lines = [f"{name}={value}\n" for name, value in sorted(chosen.values.items())]
    write_private(layout.env, "".join(lines))


def for_process(
    chosen: Chosen, environ: Mapping[str, str], service: str, process: str
) -> dict[str, str]:
    """Return what one process of ``service`` may know: its own database, and no other's.

    Only ``migrate`` is given the owner role. API keys in clear go to ingest, which hashes them.
    """
    prefix = f"{service.upper()}_"
    wanted = {"KAFKA_BOOTSTRAP_SERVERS", "TERMINAL_STORE_ID", "TERMINAL_ID"}
    if service in IDENTITY_READERS:
        wanted.add("IDENTITY_KEY")
    if service == KEY_HOLDER:
        wanted.update(API_KEYS)
    told = {
        name: value
        for name, value in chosen.values.items()
        if name in wanted or name.startswith(prefix)
    }
    if process != "migrate":
        told.pop(f"{prefix}MIGRATION_DATABASE_URL", None)
    around = {name: value for name, value in environ.items() if name not in chosen.values}
    return around | told


def _database_variable(service: str) -> str:
    return f"{service.upper()}_DATABASE_URL"


def _any_port(_preferred: int) -> int:
    return ports.free_port()


def _service_addresses(choose_port: Callable[[int], int]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, preferred in SERVICE_PORTS.items():
        port = choose_port(preferred)
        found[f"{name.upper()}_PORT"] = str(port)
        found[f"{name.upper()}_URL"] = f"http://{ports.LOOPBACK}:{port}"
    found["NOTIFY_PUBLIC_URL"] = found["NOTIFY_URL"]
    found["INGEST_LOYALTY_URL"] = found["LOYALTY_URL"]
    found["LOYALTY_OFFERS_URL"] = found["OFFERS_URL"]
    found["LOYALTY_NOTIFY_URL"] = found["NOTIFY_URL"]
    return found


def _given(layout: Layout, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which a user brings a Kafka or databases of their own."""
    names = ["KAFKA_BOOTSTRAP_SERVERS"]
    for service in SERVICES:
        names += [_database_variable(service), f"{service.upper()}_MIGRATION_DATABASE_URL"]
    before, own = read_env(layout), set(read_json(layout.state).get("own", []))
    return {
        name: environ[name]
        for name in names
        if environ.get(name) and not (name in own and environ[name] == before.get(name))
    }
