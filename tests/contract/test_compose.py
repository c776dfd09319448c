"""docker-compose.yml, rule by rule: there is no Docker engine where this runs.

Each rule was written because breaking it has a price; together they say that the file starts what
exists, in an order that works, with no more rights than needed.
"""

import importlib
import importlib.util
import json
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter

import pytest
import typer
from pydantic import AliasChoices
from pydantic_settings import BaseSettings
from typer.core import TyperGroup

from shared import cli
from tests.contract.composition import (
    COMPOSE,
    CONTAINERS,
    LASTING,
    OURS,
    PROCESSES,
    REFERENCE,
    ROOT,
    SERVICES,
    environment,
    service_of,
    with_defaults,
)

FOREIGN_SETTINGS = {
    "postgres": re.compile(r"POSTGRES_\w+|(INGEST|LOYALTY|OFFERS|NOTIFY)_(DB|OWNER)_PASSWORD"),
    "kafka": re.compile(r"KAFKA_\w+|CLUSTER_ID|LOG_DIR"),
    "mailpit": re.compile(r"MP_\w+"),
    "grafana": re.compile(r"GF_\w+"),
    "kafka-ui": re.compile(r"KAFKA_CLUSTERS_0_\w+|JAVA_OPTS"),
}
OF_OPENTELEMETRY = {"OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Read by shared.telemetry by its standard name, so that no settings class has it."""

EVERY = pytest.mark.parametrize("name", sorted(CONTAINERS))


def _ports(name: str) -> list[str]:
    return CONTAINERS[name].get("ports", [])


def test_every_process_of_every_service_is_a_container() -> None:
    wanted = {f"{service}-{process}" for service in SERVICES for process in PROCESSES}
    wanted |= {f"{service}-migrate" for service in SERVICES}

    assert set(OURS) == wanted


@pytest.mark.parametrize("name", OURS)
def test_each_command_exists(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    python, flag, module, *words = CONTAINERS[name]["command"]
    assert (python, flag, len(words)) == ("python", "-m", 1)
    assert module == f"services.{name.rpartition('-')[0]}"
    assert words == [name.rpartition("-")[2]]

    service = importlib.import_module(f"{module}.app").service()
    assert importlib.util.find_spec(f"{module}.__main__") is not None
    offered: list[str] = []

    def collect(application: typer.Typer) -> None:
        group = typer.main.get_command(application)
        assert isinstance(group, TyperGroup)
        for offer, command in group.commands.items():
            if not isinstance(command, TyperGroup) or command.invoke_without_command:
                offered.append(offer)

    monkeypatch.setattr(typer.Typer, "__call__", collect)
    cli.run(service)
    assert words[0] in offered


def _read_by(settings: type[BaseSettings]) -> set[str]:
    """Return the environment variables that a settings class reads, in upper case."""
    names: set[str] = set()
    prefix = settings.model_config.get("env_prefix", "")
    for field, definition in settings.model_fields.items():
        alias = definition.validation_alias
        if isinstance(alias, AliasChoices):
            names.update(str(choice) for choice in alias.choices)
        else:
            names.add(str(alias) if alias else f"{prefix}{field}")
    return {name.upper() for name in names}


def _settings_class(service: str) -> type[BaseSettings]:
    made = importlib.import_module(f"services.{service}.app").service().settings
    assert isinstance(made, type)
    assert issubclass(made, BaseSettings)
    return made


@pytest.mark.parametrize("name", OURS)
def test_each_variable_is_one_that_the_service_reads(name: str) -> None:
    known = _read_by(_settings_class(service_of(name))) | OF_OPENTELEMETRY

    assert set(environment(name)) <= known


@pytest.mark.parametrize("name", OURS)
def test_the_environment_makes_valid_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment(name).items():
        monkeypatch.setenv(variable, with_defaults(value))
    monkeypatch.setenv("LOYALTY_PROGRAMME_FILE", str(ROOT / "deploy/programme/demo.yaml"))

    settings = _settings_class(service_of(name))()

    dumped = settings.model_dump()
    assert (dumped["host"], dumped["port"], dumped["health_port"]) == ("0.0.0.0", 8000, 8000)


@pytest.mark.parametrize("name", sorted(FOREIGN_SETTINGS))
def test_other_images_get_only_their_own_variables(name: str) -> None:
    assert all(FOREIGN_SETTINGS[name].fullmatch(variable) for variable in environment(name))


@EVERY
def test_images_are_pinned(name: str) -> None:
    image = CONTAINERS[name]["image"]
    tag = with_defaults(image).rpartition(":")[2]

    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-[a-z0-9]+)*", tag), image


def test_the_images_are_the_ones_of_the_design() -> None:
    images = {name: one["image"] for name, one in CONTAINERS.items()}

    assert images["kafka"].startswith("apache/kafka:4.")
    assert images["postgres"].startswith("postgres:18")
    assert images["mailpit"].startswith("axllent/mailpit:")
    assert images["kafka-ui"].startswith("kafbat/kafka-ui:")


@EVERY
def test_nobody_is_root(name: str) -> None:
    user, _, group = CONTAINERS[name]["user"].partition(":")

    assert int(user) > 0
    assert group.isdigit()


@EVERY
def test_rights_are_dropped(name: str) -> None:
    container = CONTAINERS[name]

    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert any(mount.startswith("/tmp:") for mount in container["tmpfs"])
    assert not {"privileged", "cap_add", "pid", "network_mode", "devices"} & container.keys()
    assert not any("docker.sock" in volume for volume in container.get("volumes", []))


@EVERY
def test_memory_processes_and_logs_are_limited(name: str) -> None:
    container = CONTAINERS[name]

    assert re.fullmatch(r"\d+[mg]", container["mem_limit"])
    assert 0 < container["pids_limit"] <= 400
    assert container["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_health_checked_and_restarted(name: str) -> None:
    container = CONTAINERS[name]
    assert container["restart"] == "unless-stopped"
    health = container["healthcheck"]
    if name == "otel-collector":  # its image has no shell, nothing in it could ask
        assert health == {"disable": True}
        return
    assert health["test"][0] in {"CMD", "CMD-SHELL"}
    assert health.keys() >= {"interval", "timeout", "retries", "start_period", "start_interval"}


@pytest.mark.parametrize("name", sorted(set(CONTAINERS) - set(LASTING)))
def test_a_migration_ends(name: str) -> None:
    assert CONTAINERS[name]["restart"] == "on-failure:3"
    assert "healthcheck" not in CONTAINERS[name]


@pytest.mark.parametrize("name", sorted(set(OURS) & set(LASTING)))
def test_our_health_checks_ask_where_the_process_answers(name: str) -> None:
    *_, code = CONTAINERS[name]["healthcheck"]["test"]
    compile(code, "healthcheck", "exec")

    assert "http://127.0.0.1:8000/health/ready" in code


@EVERY
def test_ports_are_published_on_loopback_and_can_be_moved(name: str) -> None:
    for port in _ports(name):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{\w+_PORT:-\d+\}:\d+", port)


def test_no_two_containers_publish_the_same_port() -> None:
    published = [with_defaults(port).split(":")[1] for name in CONTAINERS for port in _ports(name)]

    assert len(published) == len(set(published))
    assert {"8001", "8002", "8003", "8004"} <= set(published)


@EVERY
def test_every_volume_and_network_is_there(name: str) -> None:
    container = CONTAINERS[name]
    assert set(container["networks"]) <= COMPOSE["networks"].keys()
    for volume in container.get("volumes", []):
        source, target, *mode = volume.split(":")
        assert target.startswith("/")
        if source.startswith("./"):
            assert (ROOT / source).exists()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]


def test_every_declared_volume_is_used() -> None:
    used = {v.split(":")[0] for one in CONTAINERS.values() for v in one.get("volumes", [])}

    assert COMPOSE["volumes"].keys() <= used


def test_the_order_of_starting_has_no_circle_and_only_known_names() -> None:
    needs = {name: set(one.get("depends_on", {})) for name, one in CONTAINERS.items()}

    order = list(TopologicalSorter(needs).static_order())

    assert set(order) == CONTAINERS.keys()


@EVERY
def test_each_dependency_is_waited_for(name: str) -> None:
    for other, rule in CONTAINERS[name].get("depends_on", {}).items():
        ends = other.endswith("-migrate")
        wanted = "service_completed_successfully" if ends else "service_healthy"
        assert rule == {"condition": wanted}
        # What a profile switches off cannot be waited for by what is always on.
        assert set(CONTAINERS[other].get("profiles", [])) <= set(
            CONTAINERS[name].get("profiles", [])
        )


@pytest.mark.parametrize("name", sorted(set(OURS) & set(LASTING)))
def test_a_process_starts_after_its_own_migration(name: str) -> None:
    assert f"{name.rpartition('-')[0]}-migrate" in CONTAINERS[name]["depends_on"]


def test_tills_do_not_wait_for_kafka() -> None:
    assert "kafka" not in CONTAINERS["ingest-api"]["depends_on"]


def test_only_migrations_hold_the_owner_role() -> None:
    for name in OURS:
        text = json.dumps(environment(name))
        assert ("_owner:" in text) == name.endswith("-migrate")


def test_each_service_has_its_own_database_alone() -> None:
    for name in OURS:
        service = service_of(name)
        urls = [v for k, v in environment(name).items() if k.endswith("DATABASE_URL")]
        assert urls
        assert all(url.endswith(f"@postgres:5432/{service}") for url in urls)


def test_profiles_switch_on_only_what_is_extra() -> None:
    profiles = {name: one["profiles"] for name, one in CONTAINERS.items() if "profiles" in one}

    assert profiles == {
        "prometheus": ["observability"],
        "grafana": ["observability"],
        "otel-collector": ["observability"],
        "kafka-ui": ["tools"],
    }


def _references() -> Iterator[tuple[str, str]]:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert "${" not in REFERENCE.sub("", text), "a variable without a default"
    for found in REFERENCE.finditer(text):
        yield found["name"], found["default"]


def test_every_variable_has_one_default_and_the_example_lists_it() -> None:
    defaults: dict[str, set[str]] = {}
    for name, default in _references():
        defaults.setdefault(name, set()).add(default)
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    listed = dict(
        line.removeprefix("#").strip().split("=", 1)
        for line in lines
        if re.match(r"#? ?[A-Z_]+=", line)
    )

    assert all(len(values) == 1 for values in defaults.values())
    assert listed == {name: values.pop() for name, values in defaults.items()}


SECRET = re.compile(r"\w*(_PASSWORD|_KEY)")


def test_demo_secrets_are_named_insecure() -> None:
    for name, default in _references():
        if SECRET.fullmatch(name):
            readable = default
            if name in {"IDENTITY_KEY", "NOTIFY_UNSUBSCRIBE_KEY"}:
                readable = bytes.fromhex(default).decode()
            assert "insecure" in readable, name


@pytest.mark.parametrize("name", OURS)
def test_demo_secrets_are_refused_in_production(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment(name).items():
        monkeypatch.setenv(variable, with_defaults(value))
    monkeypatch.setenv("LOYALTY_PROGRAMME_FILE", str(ROOT / "deploy/programme/demo.yaml"))
    monkeypatch.setenv("ENVIRONMENT", "production")

    with pytest.raises(ValueError, match="insecure"):
        _settings_class(service_of(name))()
