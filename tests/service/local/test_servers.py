"""The test servers survive what fault tests do to them."""

import subprocess
from pathlib import Path

import pytest

from deploy.local import processes
from deploy.local.errors import LocalStackError
from deploy.local.kafka import jars, start_kafka
from deploy.local.kafka.probe import broker_ready
from deploy.local.postgres import BIN, THROWAWAY, LocalPostgres, start_postgres


def rows(postgres: LocalPostgres, sql: str) -> str:
    command = [str(BIN / "psql"), "-XAtq", "-c", sql, postgres.url()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_postgres_keeps_committed_rows_over_crashes(scratch: Path) -> None:
    postgres = start_postgres(scratch / "crashing", settings=THROWAWAY)
    try:
        rows(postgres, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
        port = postgres.port
        postgres.restart(immediate=True)
        rows(postgres, "INSERT INTO kept VALUES (2)")
        postgres.kill()
        postgres.start()
        assert rows(postgres, "SELECT sum(n) FROM kept") == "3"
        assert postgres.port == port
    finally:
        postgres.stop(immediate=True)


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_kafka_keeps_its_cluster_over_a_kill(scratch: Path) -> None:
    kafka = start_kafka(scratch / "killed", quick=True)
    try:
        properties = (kafka.data_dir / "meta.properties").read_text()
        bootstrap, pid = kafka.bootstrap, kafka.pid
        kafka.restart(kill=True)
        assert kafka.pid != pid
        assert kafka.bootstrap == bootstrap
        assert (kafka.data_dir / "meta.properties").read_text() == properties
        kafka.stop()
        assert not broker_ready(kafka.port)
        with pytest.raises(LocalStackError, match="not running"):
            _ = kafka.pid
    finally:
        kafka.kill()


@pytest.mark.parametrize(
    ("missing", "ways"),
    [
        ("mvn", ["apt-get install -y maven", "KAFKA_HOME", "KAFKA_BOOTSTRAP_SERVERS", "compose"]),
        ("java", ["apt-get install -y openjdk-17", "KAFKA_BOOTSTRAP_SERVERS", "docker compose"]),
    ],
)
def test_a_missing_tool_is_one_sentence_with_the_ways_out(
    missing: str, ways: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    find = jars.kafka_libs if missing == "mvn" else jars.find_java
    with pytest.raises(LocalStackError) as raised:
        find()
    assert all(way in str(raised.value) for way in ways)
    assert "\n" not in str(raised.value)


def test_maven_that_resolves_nothing_is_one_sentence_and_leaves_no_half_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho '[ERROR] Could not transfer artifact'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    with pytest.raises(LocalStackError, match=r"Could not transfer artifact.*docker compose"):
        jars.kafka_libs()
    assert not jars.present()


def test_a_kafka_home_without_kafka_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(LocalStackError, match=r"holds no kafka_2\.13 jar"):
        jars.kafka_libs()


def test_an_open_port_that_does_not_answer_is_not_a_broker(postgres: LocalPostgres) -> None:
    assert not broker_ready(postgres.port, timeout_s=0.2)
    assert processes.identify(postgres.pid) is not None
