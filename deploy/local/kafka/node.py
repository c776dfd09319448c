"""Format, start, stop and harm one KRaft node (broker and controller in one process)."""

import base64
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import ports, processes
from deploy.local.errors import LocalStackError
from deploy.local.kafka import jars, probe

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
LOG_CONFIG = Path(__file__).with_name("log4j2.properties")
# Bounded, so that the stack fits beside a browser; the page cache does Kafka's real caching.
JVM = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)
STEADY = ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=50")
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For tests: a third less work until it serves, at the cost of throughput later."""

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # A typo in a topic's name must be an error, not a new topic.
    "auto.create.topics.enable": "false",
    "num.partitions": "12",
    # One node: nothing internal can have more than one replica.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    # Groups start at once, and fault tests may use short sessions.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After a kill -9 the old registration blocks the new one for this long.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    # Threads and buffers for one machine; the cleaner alone would take 128 MB of heap.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    "log.cleaner.dedupe.buffer.size": "33554432",
    "log.segment.bytes": "268435456",
    "log.index.size.max.bytes": "2097152",
}


@dataclass
class LocalKafka:
    """A Kafka node of ours. ``bootstrap`` stays the same over ``restart``."""

    data_dir: Path
    log_dir: Path
    port: int
    quick: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def bootstrap(self) -> str:
        """The value for KAFKA_BOOTSTRAP_SERVERS."""
        return f"{ports.LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """The JVM's pid; raises while it is not running."""
        if self.process is None or self.process.poll() is not None:
            message = "Kafka is not running"
            raise LocalStackError(message)
        return self.process.pid

    @property
    def log(self) -> Path:
        """What the JVM and Kafka say."""
        return self.log_dir / "kafka.log"

    def prepare(self) -> None:
        """Get the jars and format the data folder if it is new; seconds, or minutes once."""
        config = self._write_config()
        if not (self.data_dir / "meta.properties").exists():
            self._format(config)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process without waiting for it; ``prepare`` comes first."""
        config = self._write_config()
        self.process = processes.spawn(
            self._java("kafka.Kafka", str(config)), log=self.log, env=self._environment()
        )
        return self.process

    def ready(self) -> bool:
        """Whether the broker serves; raises if the process has ended."""
        if self.process is not None and self.process.poll() is not None:
            raise LocalStackError(self._why_ended())
        return probe.broker_ready(self.port)

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.prepare()
        self.launch()
        if not processes.wait_until(self.ready, deadline_s=START_TIMEOUT_S):
            self.kill()
            message = f"Kafka was not ready in {START_TIMEOUT_S:.0f} s.\n{processes.tail(self.log)}"
            raise LocalStackError(message)

    def stop(self) -> None:
        """End it properly; kill it after a deadline."""
        if self.process is None:
            return
        self.process.terminate()
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self, *, kill: bool = False) -> None:
        """Stop (or kill) it and start it again on the same port and data."""
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            jars.find_java(),
            *JVM,
            *(QUICK if self.quick else STEADY),
            f"-Dlog4j2.configurationFile={LOG_CONFIG}",
            "-cp",
            f"{jars.kafka_libs()}/*",
            main,
            *arguments,
        ]

    @staticmethod
    def _environment() -> dict[str, str]:
        # Options meant for other programs of the user would change heap and agents under us.
        unwanted = {"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"}
        return {name: value for name, value in os.environ.items() if name not in unwanted}

    def _write_config(self) -> Path:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.log_dir.mkdir(parents=True, exist_ok=True)
        # Nobody but this process speaks to its controller, so its port may change at each start.
        controller = f"{ports.LOOPBACK}:{ports.free_port()}"
        settings = SETTINGS | {
            "log.dirs": str(self.data_dir),
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"1@{controller}",
        }
        config = self.data_dir / "server.properties"
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return config

    def _format(self, config: Path) -> None:
        """Give the new node its cluster id, which then stays with the data."""
        command = self._java(
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={_new_cluster_id()}",
            "--config",
            str(config),
            "--ignore-formatted",
        )
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=self._environment()
        )
        if done.returncode != 0:
            message = f"Kafka's storage could not be formatted.\n{done.stderr.strip()[-2000:]}"
            raise LocalStackError(self._too_old(done.stderr) or message)

    def _why_ended(self) -> str:
        words = processes.tail(self.log)
        return self._too_old(words) or f"Kafka ended while starting.\n{words}"

    @staticmethod
    def _too_old(words: str) -> str | None:
        if "UnsupportedClassVersionError" not in words:
            return None
        return "Kafka needs Java 17 or newer: `apt-get install -y openjdk-17-jre-headless`."


def _new_cluster_id() -> str:
    """Return a random Kafka uuid; one with a leading dash would read as an option."""
    while (name := base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")).startswith("-"):
        pass
    return name


def start_kafka(
    data_dir: Path, port: int = 0, *, log_dir: Path | None = None, quick: bool = False
) -> LocalKafka:
    """Start a node on ``data_dir`` (made if missing) and wait until it serves.

    ``port`` 0 takes a free one; ``quick`` starts sooner and runs slower. Call it from the main
    thread: the node ends with its starter.
    """
    logs = log_dir or data_dir / "log"
    # Not inside log.dirs: Kafka takes every folder there for a partition.
    data = data_dir if log_dir is not None else data_dir / "data"
    kafka = LocalKafka(data.resolve(), logs.resolve(), port or ports.free_port(), quick)
    kafka.start()
    return kafka
