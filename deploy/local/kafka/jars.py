"""Where Kafka's jars come from: ``KAFKA_HOME``, else Maven once, into the user's cache."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import LocalStackError

POM = Path(__file__).with_name("pom.xml")
FETCH_TIMEOUT_S = 300.0
WAYS_OUT = (
    "Set KAFKA_HOME to an unpacked Apache Kafka 4, or KAFKA_BOOTSTRAP_SERVERS to a running one, "
    "or use `docker compose up` instead."
)


def find_java() -> str:
    """Return the java command; raises with the command that installs it."""
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return str(Path(home) / "bin" / "java")
    java = shutil.which("java")
    if java is None:
        message = (
            "Kafka needs Java 17 or newer: `apt-get install -y openjdk-17-jre-headless` "
            "(macOS: `brew install openjdk@17`), or set KAFKA_BOOTSTRAP_SERVERS to a running "
            "Kafka, or use `docker compose up` instead."
        )
        raise LocalStackError(message)
    return java


def kafka_libs() -> Path:
    """Return a folder with Kafka's jars, fetching them if this machine has none yet."""
    home = os.environ.get("KAFKA_HOME")
    if home:
        libs = Path(home) / "libs"
        if not list(libs.glob("kafka_2.13-*.jar")):
            message = f"KAFKA_HOME is {home}, but {libs} holds no kafka_2.13 jar."
            raise LocalStackError(message)
        return libs
    return _cached_libs()


def present() -> bool:
    """Whether the jars are here already, so that nothing will be fetched."""
    return bool(os.environ.get("KAFKA_HOME")) or _cache().is_dir()


def _cache() -> Path:
    """Return where the jars that ``pom.xml`` names lie, for all clones and runs of this user."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perennial"
    # Another pom means other jars; the old folder stays for older checkouts.
    return cache / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def _cached_libs() -> Path:
    libs = _cache()
    if libs.is_dir():
        return libs
    libs.parent.mkdir(parents=True, exist_ok=True)
    with _locked(libs.parent / "kafka.lock"):
        if not libs.is_dir():
            _fetch(libs)
    return libs


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold a lock among processes: parallel test workers fetch once."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(libs: Path) -> None:
    """Let Maven copy the jars beside ``libs``, then rename: half a folder is never seen."""
    maven = shutil.which("mvn")
    if maven is None:
        message = f"Kafka's jars come through Maven: `apt-get install -y maven`. {WAYS_OUT}"
        raise LocalStackError(message)
    with tempfile.TemporaryDirectory(dir=libs.parent) as folder:
        target = Path(folder) / "libs"
        command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        command += [f"-DoutputDirectory={target}"]
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise LocalStackError(_why(error)) from error
        target.rename(libs)


def _why(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        reason = f"no answer within {FETCH_TIMEOUT_S:.0f} s"
    else:
        lines = [line for line in str(error.stdout).splitlines() if line.startswith("[ERROR]")]
        reason = lines[0].removeprefix("[ERROR]").strip()[:300] if lines else "see mvn's output"
    return f"Maven could not resolve Kafka's jars ({reason}). {WAYS_OUT}"


if __name__ == "__main__":
    # By the machine's own Python, while uv makes the one that everything else runs on.
    try:
        kafka_libs()
    except LocalStackError as error:
        sys.exit(str(error))
