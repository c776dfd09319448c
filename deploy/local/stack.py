"""The whole stack, from an empty folder to sixteen service processes; ``serve`` runs it."""

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from deploy.local import environment, ports, processes, provision
from deploy.local.errors import LocalStackError
from deploy.local.kafka import LocalKafka, jars
from deploy.local.layout import API_KEYS, CHECKOUT, SERVICES, Layout, Scope
from deploy.local.part import Part, cap_logs
from deploy.local.postgres import LocalPostgres
from deploy.local.supervisor import Supervisor

PROCESSES = ("api", "consumer", "relay", "jobs")
INFRA_LIMIT_S = 90.0
MIGRATE_LIMIT_S = 120.0
SERVICES_LIMIT_S = 120.0
HEALTH_TIMEOUT_S = 2.0
KEYS_LIMIT_S = 30.0
KEYS_POLL_S = 0.5


class Stack:
    """One run of the stack."""

    def __init__(self, layout: Layout, scope: Scope, environ: Mapping[str, str]) -> None:
        """``environ`` is the user's environment: what it gives is used and not started."""
        self.layout = layout
        self.scope = scope
        self.environ = environ
        self.chosen = environment.choose(layout, environ)
        self.supervisor = Supervisor(layout, scope=scope, own=sorted(self.chosen.own))

    async def run(self, ended: asyncio.Event) -> None:
        """Start everything, keep it up until ``ended`` is set, end everything.

        What goes wrong in a way that a person can mend is told in the state file.
        """
        environment.write(self.layout, self.chosen)
        self.supervisor.tell()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_raise_when(ended))
                group.create_task(cap_logs(self.layout.log))
                await self._start(group)
        except* _EndedError:
            pass
        except* LocalStackError as errors:
            self.supervisor.error = "\n".join(_messages(errors))
        except* Exception as errors:
            log = self.layout.log / "supervisor.log"
            self.supervisor.error = f"unexpected, see {log}: " + "; ".join(_messages(errors))
            raise
        finally:
            # Services first: they finish what they have in hand while Kafka and Postgres are up.
            await self.supervisor.stop(first=SERVICES)

    async def _start(self, group: asyncio.TaskGroup) -> None:
        await self.supervisor.start(group, await self._infra(), limit_s=INFRA_LIMIT_S)
        for service in self.chosen.provisioned:
            await provision.provision(self._admin_url(), self.chosen.roles[service])
        if self.scope == "all":
            await self._migrate()
            self.supervisor.say("starting the services")
            await self.supervisor.start(group, self._services(), limit_s=SERVICES_LIMIT_S)
            await self._spread_keys()
        self.supervisor.phase = "ready"
        self.supervisor.say("")

    # --- Kafka, Postgres, mail ----------------------------------------------------------------

    async def _infra(self) -> list[Part]:
        found = [self._mail()]
        if self.chosen.starts_postgres:
            found.append(await self._postgres())
        if self.chosen.starts_kafka:
            found.append(await self._kafka())
        self.supervisor.say("starting " + ", ".join(sorted(part.name for part in found)))
        return found

    async def _kafka(self) -> Part:
        kafka = LocalKafka(self.layout.kafka, self.layout.log, self.chosen.kafka_port)
        self.supervisor.say("fetching Kafka (once)" if not jars.present() else "preparing Kafka")
        await asyncio.to_thread(kafka.prepare)
        ready = partial(asyncio.to_thread, _quietly(kafka.ready))
        return Part("kafka", kafka.launch, ready, kafka.log, kafka.bootstrap, stop_deadline_s=30)

    async def _postgres(self) -> Part:
        postgres = LocalPostgres(
            self.layout.postgres,
            self.layout.log / "postgres.log",
            self.chosen.postgres_port,
            self.chosen.postgres_password,
        )
        self.supervisor.say("preparing Postgres")
        await asyncio.to_thread(postgres.prepare)
        return Part(
            "postgres",
            postgres.launch,
            partial(asyncio.to_thread, _quietly(postgres.ready)),
            postgres.log,
            f"{ports.LOOPBACK}:{postgres.port}",
            stop_signal=signal.SIGINT,
            stop_deadline_s=30,
        )

    def _mail(self) -> Part:
        port, log = self.chosen.smtp_port, self.layout.log / "mail.log"
        command = [sys.executable, "-m", "deploy.local.mail", str(port), str(self.layout.mail)]

        async def ready() -> bool:
            return ports.is_open(port)

        launch = partial(_spawn, command, self.environ, log)
        return Part("mail", launch, ready, log, f"smtp://{ports.LOOPBACK}:{port}")

    def _admin_url(self) -> str:
        password = self.chosen.postgres_password
        port = self.chosen.postgres_port
        return f"postgresql://postgres:{password}@{ports.LOOPBACK}:{port}/postgres"

    # --- services -----------------------------------------------------------------------------

    async def _migrate(self) -> None:
        """Bring every service's tables and topics up to date; each is idempotent."""
        self.supervisor.say("migrating databases, creating topics")
        async with asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(self._migrate_one(service))

    async def _migrate_one(self, service: str) -> None:
        log = self.layout.log / f"{service}-migrate.log"
        told = environment.for_process(self.chosen, self.environ, service, "migrate")
        process = _spawn(_service_command(service, "migrate"), told, log)
        try:
            await asyncio.to_thread(process.wait, MIGRATE_LIMIT_S)
        except subprocess.TimeoutExpired:
            # Told below, as any other failure.
            pass
        finally:
            process.kill()
            process.wait()
        if process.returncode != 0:
            message = f"{service} could not migrate. The end of {log}:\n{processes.tail(log)}"
            raise LocalStackError(message)

    async def _spread_keys(self) -> None:
        """Wait until every service knows the keys that are printed: they travel by Kafka.

        Ingest has the truth at once; one that was revoked since the first start is waited for
        nowhere.
        """
        self.supervisor.say("letting the services know the keys")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEYS_LIMIT_S):
                keys = [self.chosen.values[name] for name in API_KEYS]
                valid = [key for key in keys if await _knows(self._port("ingest"), key)]
                for service in SERVICES:
                    for key in valid:
                        await _until_known(self._port(service), key)

    def _port(self, service: str) -> int:
        return int(self.chosen.values[f"{service.upper()}_PORT"])

    def _services(self) -> list[Part]:
        return [self._service(service, process) for service in SERVICES for process in PROCESSES]

    def _service(self, service: str, process: str) -> Part:
        log = self.layout.log / f"{service}-{process}.log"
        told = environment.for_process(self.chosen, self.environ, service, process)
        if process == "api":
            port = int(told[f"{service.upper()}_PORT"])
        else:
            port = ports.free_port()
            told[f"{service.upper()}_HEALTH_PORT"] = str(port)
        return Part(
            f"{service}-{process}",
            partial(_spawn, _service_command(service, process), told, log),
            partial(_answers, port),
            log,
            f"http://{ports.LOOPBACK}:{port}",
        )


class _EndedError(Exception):
    """Ends the task group when the stack is asked to end."""


async def _raise_when(ended: asyncio.Event) -> None:
    await ended.wait()
    raise _EndedError


def _messages(errors: BaseExceptionGroup[BaseException]) -> list[str]:
    found: list[str] = []
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _messages(cast("BaseExceptionGroup[BaseException]", error))
        else:
            found.append(str(error) or repr(error))
    return found


def _service_command(service: str, process: str) -> list[str]:
    return [sys.executable, "-m", f"services.{service}", process]


def _spawn(
    command: Sequence[str], environ: Mapping[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    # The packages are found from the checkout, wherever the user stands.
    return processes.spawn(command, log=log, env={**environ, "PYTHONPATH": str(CHECKOUT)})


def _quietly(ready: Callable[[], bool]) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            return ready()
        except LocalStackError:
            # The process has ended; whoever keeps it sees that for itself.
            return False

    return ask


async def _answers(port: int) -> bool:
    """Whether ``/health/ready`` says 200."""
    return await _status(port, "/health/ready") == 200


async def _knows(port: int, key: str) -> bool:
    """Whether a service takes the key for one of its own, whatever that may do there."""
    return await _status(port, "/v1/dead-letters", key) in {200, 403}


async def _until_known(port: int, key: str) -> None:
    while True:
        if await _knows(port, key):
            return
        await asyncio.sleep(KEYS_POLL_S)


async def _status(port: int, path: str, key: str = "") -> int:
    """Return the status of an answer, 0 for none. By hand: sixteen processes are asked for ever."""
    asked = f"GET {path} HTTP/1.1\r\nHost: local\r\nAuthorization: Bearer {key}\r\n"
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(ports.LOOPBACK, port)
            try:
                writer.write(f"{asked}Connection: close\r\n\r\n".encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", status)
    return int(found[1]) if found else 0
