"""Ask a broker whether it serves, in its own protocol and without a client library.

An open port is not enough: the listener is bound before the broker has joined its own cluster.
A Metadata answer that names a live broker is.
"""

import socket
import struct

from deploy.local.ports import LOOPBACK

METADATA = 3
VERSION = 1
CORRELATION = 0x7065726E
MAX_SIZE = 1 << 20
CLIENT = b"perennial-probe"


def broker_ready(port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether the broker on 127.0.0.1:``port`` answers and counts itself as alive."""
    # Header: key, version, correlation id, client id; body: an empty list of topics.
    request = struct.pack("!hhih", METADATA, VERSION, CORRELATION, len(CLIENT)) + CLIENT
    request += struct.pack("!i", 0)
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(struct.pack("!i", len(request)) + request)
            with connection.makefile("rb") as stream:
                head = stream.read(12)
    except OSError:
        return False
    if len(head) < 12:
        return False
    size, correlation, brokers = struct.unpack("!iii", head)
    # Another protocol's complaint on this port must not read as a broker.
    return bool(correlation == CORRELATION and len(head) <= size < MAX_SIZE and brokers > 0)
