"""What is given is used, the rest is chosen; each process is told only its own."""

import socket
import stat
from pathlib import Path

import pytest

from deploy.local import environment, ports
from deploy.local.layout import SERVICES, Layout, read_env, write_private

ANY = {environment.ANY_PORTS: "1"}
NAMES = ("INGEST", "LOYALTY", "OFFERS", "NOTIFY")
FROM_THE_ISSUE = [
    *(f"{name}_URL" for name in NAMES),
    *(f"{name}_DATABASE_URL" for name in NAMES),
    *("ADMIN_KEY", "STAFF_KEY", "MARKETER_KEY", "APP_KEY", "TERMINAL_KEY"),
    *("KAFKA_BOOTSTRAP_SERVERS", "TERMINAL_STORE_ID", "TERMINAL_ID"),
]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "stack")


def test_a_taken_port_falls_back_to_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        chosen = ports.choose(port)
        assert chosen != port
        assert ports.is_free(chosen)
    assert ports.choose(port) == port


def test_free_ports_differ_and_no_outgoing_connection_can_take_them() -> None:
    found = [ports.free_port() for _ in range(40)]
    assert len(set(found)) == 40
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        for _ in range(20):
            with socket.create_connection(server.getsockname()) as client:
                assert client.getsockname()[1] > max(found)


def test_the_env_file_holds_what_people_and_programs_need(layout: Layout) -> None:
    chosen = environment.choose(layout, ANY)
    environment.write(layout, chosen)
    written = read_env(layout)
    assert set(FROM_THE_ISSUE) <= written.keys()
    assert all(written[name] for name in FROM_THE_ISSUE)
    assert written["LOYALTY_DATABASE_URL"].startswith("postgresql://loyalty:")
    assert written["LOYALTY_MIGRATION_DATABASE_URL"].startswith("postgresql://loyalty_owner:")
    for private in (layout.env, layout.secrets):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_keys_and_passwords_stay_over_restarts(layout: Layout) -> None:
    first, second = environment.choose(layout, ANY), environment.choose(layout, ANY)
    for name in ("ADMIN_KEY", "IDENTITY_KEY", "NOTIFY_UNSUBSCRIBE_KEY"):
        assert first.values[name] == second.values[name]
    assert first.roles == second.roles
    assert first.postgres_password == second.postgres_password


def test_what_the_user_gives_is_used_and_not_started(layout: Layout) -> None:
    given = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "OFFERS_DATABASE_URL": "postgresql://o@db/o"}
    chosen = environment.choose(layout, ANY | given)
    assert not chosen.starts_kafka
    assert chosen.provisioned == ("ingest", "loyalty", "notify")
    assert chosen.values["OFFERS_DATABASE_URL"] == "postgresql://o@db/o"
    assert "OFFERS_MIGRATION_DATABASE_URL" not in chosen.values


def test_a_shell_that_sourced_the_env_file_gives_nothing(layout: Layout) -> None:
    chosen = environment.choose(layout, ANY)
    environment.write(layout, chosen)
    own = ", ".join(f'"{name}"' for name in chosen.own)
    write_private(layout.state, f'{{"own": [{own}]}}')
    again = environment.choose(layout, ANY | read_env(layout))
    assert again.starts_kafka
    assert again.provisioned == SERVICES


def test_a_process_is_told_its_own_database_and_no_other(layout: Layout) -> None:
    chosen = environment.choose(layout, ANY)
    around = {"PATH": "/bin", "INGEST_DATABASE_URL": "stale"}
    told = environment.for_process(chosen, around, "offers", "api")
    assert told["PATH"] == "/bin"
    assert told["OFFERS_DATABASE_URL"] == chosen.values["OFFERS_DATABASE_URL"]
    for secret in ("INGEST_DATABASE_URL", "OFFERS_MIGRATION_DATABASE_URL", "IDENTITY_KEY"):
        assert secret not in told
    assert "ADMIN_KEY" not in told
    migrate = environment.for_process(chosen, around, "offers", "migrate")
    assert migrate["OFFERS_MIGRATION_DATABASE_URL"]
    assert "ADMIN_KEY" in environment.for_process(chosen, around, "ingest", "migrate")
