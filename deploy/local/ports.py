"""Ports on 127.0.0.1: the usual one if it is free, else any free one."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

LOOPBACK = "127.0.0.1"
FIRST = 10_240
PER_PROCESS = 64
CLIENT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` now."""
    with socket.socket() as probe:
        # As the servers do: a port whose old connections linger in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_open(port: int) -> bool:
    """Whether something listens on ``port``."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port() -> int:
    """Return a port that was free a moment ago, and that no outgoing connection will take.

    The kernel would give one from the range that it takes the ports of clients from: between the
    choice and the server's start, a connection of anybody may sit on it. So ours lie below that
    range, and each process begins elsewhere, since several stacks may choose at once.
    """
    for port in _candidates:
        if is_free(port):
            return port
    raise RuntimeError("no free port on 127.0.0.1")


def _below_the_clients() -> Iterator[int]:
    ports = range(FIRST, _clients_begin())
    start = os.getpid() * PER_PROCESS % len(ports)
    for number in range(len(ports)):
        yield ports[(start + number) % len(ports)]


def _clients_begin() -> int:
    """Return where the kernel's range for outgoing connections begins."""
    try:
        return max(int(CLIENT_RANGE.read_text().split()[0]), FIRST + PER_PROCESS)
    except (OSError, ValueError):  # another system than Linux, whose range begins higher
        return 32_768


_candidates = _below_the_clients()


def choose(preferred: int) -> int:
    """Return ``preferred`` if it is free, else another port."""
    return preferred if is_free(preferred) else free_port()
