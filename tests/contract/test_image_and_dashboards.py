"""The image, and what watches the containers: only what exists is copied, scraped and drawn."""

import re
from collections.abc import Iterator, Mapping

from prometheus_client import REGISTRY

from shared import metrics
from tests.contract.composition import CONTAINERS, LASTING, OURS, ROOT, load

PROMETHEUS_ITSELF = {"up", "process_resident_memory_bytes"}
"""Made by Prometheus, and by its client on Linux."""


def test_prometheus_asks_containers_that_exist_where_they_answer() -> None:
    jobs = {
        job["job_name"]: job for job in load("deploy/prometheus/prometheus.yml")["scrape_configs"]
    }
    asked = {target for group in jobs["perennial"]["static_configs"] for target in group["targets"]}
    others = {
        target
        for name, job in jobs.items()
        if name != "perennial"
        for group in job["static_configs"]
        for target in group["targets"]
    }

    assert asked == {f"{name}:8000" for name in set(OURS) & set(LASTING)}
    assert {target.split(":")[0] for target in others} <= CONTAINERS.keys()


def _published_metrics() -> set[str]:
    """Return every name that our processes can have on /metrics."""
    assert metrics.CONTENT_TYPE
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    return {
        f"{family.name}{suffix}"
        for family in REGISTRY.collect()
        for suffix in suffixes.get(family.type, [""])
    } | PROMETHEUS_ITSELF


def _expressions() -> Iterator[str]:
    dashboard = load("deploy/grafana/dashboards/perennial.json")
    for panel in dashboard["panels"]:
        assert panel["description"], panel["title"]
        for target in panel["targets"]:
            yield target["expr"]


def test_every_metric_of_the_dashboard_exists() -> None:
    used = {
        name
        for expression in _expressions()
        for name in re.findall(r"\b(?:perennial|process|python|up)\w*", expression)
        if f'"{name}"' not in expression
    }

    assert len(used) >= 12
    assert used <= _published_metrics()


def test_grafana_finds_the_dashboard_and_its_source() -> None:
    (source,) = load("deploy/grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    (provider,) = load("deploy/grafana/provisioning/dashboards/perennial.yaml")["providers"]
    dashboard = load("deploy/grafana/dashboards/perennial.json")
    mounts = dict(volume.split(":")[:2][::-1] for volume in CONTAINERS["grafana"]["volumes"])

    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    assert mounts[provider["options"]["path"]] == "./deploy/grafana/dashboards"


def test_the_collector_sends_only_through_parts_that_it_has() -> None:
    collector = load("deploy/otel/collector.yaml")
    have: Mapping[str, set[str]] = {
        "receivers": collector["receivers"].keys() | collector["connectors"].keys(),
        "processors": collector["processors"].keys(),
        "exporters": collector["exporters"].keys() | collector["connectors"].keys(),
    }

    for pipeline in collector["service"]["pipelines"].values():
        for part, names in pipeline.items():
            assert set(names) <= have[part]


def _dockerfile() -> list[str]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_is_pinned_built_in_stages_and_not_root() -> None:
    lines = _dockerfile()
    stages = [line for line in lines if line.startswith("FROM ")]
    final = lines[lines.index(stages[-1]) :]

    assert re.fullmatch(r"ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-\w+", lines[0])
    assert stages == ["FROM ${PYTHON_IMAGE} AS build", "FROM ${PYTHON_IMAGE}"]
    assert any(re.search(r" uv==\d+\.\d+\.\d+$", line) for line in lines)
    assert any("uv sync --locked --no-dev --no-editable" in line for line in lines)
    assert final[-3:-1] == ["USER 10001:10001", "HEALTHCHECK NONE"]
    assert not re.search(r"apt-get|gcc|build-essential|pip install|ADD ", "\n".join(final))


def test_the_image_copies_only_what_exists_and_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    for line in _dockerfile():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert source in let_through, source

    assert "*" in ignored
    assert "**/.env*" in ignored
