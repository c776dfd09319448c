"""Store and forward: receipts are on disk, numbered, before anybody tries to send them.

One file is the spool of one terminal, in SQLite. A till calls ``put`` while it prints the receipt;
when that returns, the receipt survives a power cut. A ``Sender``, in the same process or another,
sends what waits. Any process may be killed at any moment: what was sent but not marked is sent
again, with the same bytes, and the server's natural keys make that harmless.

A ``Spool`` object belongs to one thread; others open the same file again.
"""

import hashlib
import json
import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from perennial_client.answers import Done, Never

Kind = Literal["purchase", "return", "void", "amendment"]
State = Literal["waiting", "done", "set_aside"]

MIB = 1024 * 1024
SPOOL_BYTES_MAX = 256 * MIB
"""Of bodies not sent yet: at 2 KiB a receipt, a month of a busy terminal."""
BODY_BYTES_MAX = 256 * 1024
"""What the server takes for one receipt."""
BUSY_TIMEOUT_S = 5.0
KEPT_DONE = timedelta(days=7)
"""How long a receipt that was sent is still known here, so that putting it again does nothing."""
VERSION = 1

_SCHEMA = """
CREATE TABLE terminal (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    store_id TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    next_seq INTEGER NOT NULL,
    kept_bytes INTEGER NOT NULL CHECK (kept_bytes >= 0)
);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    terminal_seq INTEGER UNIQUE,
    said_sha256 BLOB NOT NULL,
    body BLOB,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'set_aside')),
    put_at TEXT NOT NULL,
    ended_at TEXT,
    event_id TEXT,
    claim_token TEXT,
    problem TEXT,
    CHECK ((state = 'done') = (body IS NULL))
);
CREATE INDEX entry_waiting ON entry (id) WHERE state = 'waiting';
CREATE INDEX entry_done ON entry (ended_at) WHERE state = 'done';
"""


class SpoolError(Exception):
    """What a spool refuses; nothing was written."""


class SpoolFull(SpoolError):
    """More waits than ``max_bytes``: the network, the key or the server has been away too long."""


class SpoolInUse(SpoolError):
    """Another process sends this spool."""


class OtherTerminal(SpoolError):
    """The file, or the receipt, belongs to another terminal."""


class NumberTaken(SpoolError):
    """This receipt number was used with other contents; a correction is an amendment."""


class BodyTooLarge(SpoolError):
    """The server takes no receipt of this size."""


class Model(Protocol):
    """A body of the generated client: ``ingest.models.Purchase`` and the like."""

    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to tell, and what became of it."""

    id: int
    kind: Kind
    key: str
    """Its natural key, as JSON."""
    terminal_seq: int | None
    body: bytes | None
    """Exactly what is sent, each time; None once it is done."""
    state: State
    put_at: str
    event_id: str | None
    claim_token: str | None
    problem: str | None
    """Of what was set aside: the server's problem document, as JSON."""


@dataclass(frozen=True, slots=True)
class Status:
    """How the spool stands; what a till shows to its operator."""

    waiting: int
    oldest_put_at: str | None
    """Of what waits."""
    set_aside: int
    kept_bytes: int


_COLUMNS = "id, kind, key, terminal_seq, body, state, put_at, event_id, claim_token, problem"


class Spool:
    """The spool of one terminal."""

    def __init__(
        self,
        path: Path | str,
        *,
        store_id: str,
        terminal_id: str,
        numbered: bool = True,
        max_bytes: int = SPOOL_BYTES_MAX,
    ) -> None:
        """Open ``path``, on a local disk; made if it is not there.

        ``numbered`` gives whatever is put its ``terminal_seq``, without gaps: that is how the
        server sees that something never came. Raises ``OtherTerminal`` for another one's file.
        """
        self.path = Path(path)
        self.store_id = store_id
        self.terminal_id = terminal_id
        self._numbered = numbered
        self._max_bytes = max_bytes
        self._db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            # Each commit is on the disk, not in its cache, when the till goes on.
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what waits stays."""
        self._db.close()

    def put(self, kind: Kind, body: Model | Mapping[str, Any]) -> Entry:
        """Keep one receipt for sending; it is on disk when this returns.

        The same again returns the entry that is there. Raises ``NumberTaken`` for other contents
        under its number, ``OtherTerminal``, ``BodyTooLarge`` or ``SpoolFull``.
        """
        said = dict(body) if isinstance(body, Mapping) else body.to_dict()
        key = self._key(kind, said)
        digest = hashlib.sha256(_json(said, sort_keys=True)).digest()
        with self._transaction():
            known = self._known(key, digest)
            if known is not None:
                return known
            seq, kept_bytes = self._db.execute(
                "SELECT next_seq, kept_bytes FROM terminal"
            ).fetchone()
            numbers = self._numbered and said.get("terminal_seq") is None
            sent = _json(said | {"terminal_seq": seq} if numbers else said)
            self._check_size(sent, kept_bytes)
            self._db.execute(
                "UPDATE terminal SET next_seq = next_seq + ?, kept_bytes = kept_bytes + ?",
                (1 if numbers else 0, len(sent)),
            )
            row = self._db.execute(
                "INSERT INTO entry (kind, key, terminal_seq, said_sha256, body, put_at)"  # noqa: S608
                f" VALUES (?, ?, ?, ?, ?, ?) RETURNING {_COLUMNS}",
                (kind, key, seq if numbers else None, digest, sent, self._now()),
            ).fetchone()
        return Entry(*row)

    def find(self, kind: Kind, body: Model | Mapping[str, Any]) -> Entry | None:
        """Return what became of a receipt, by its number; None once it is forgotten."""
        said = dict(body) if isinstance(body, Mapping) else body.to_dict()
        found = self._list("key = ?", self._key(kind, said))
        return found[0] if found else None

    def status(self) -> Status:
        """Return how much waits, since when, and how much was set aside."""
        waiting, oldest = self._db.execute(
            "SELECT count(*), min(put_at) FROM entry WHERE state = 'waiting'"
        ).fetchone()
        (aside,) = self._db.execute(
            "SELECT count(*) FROM entry WHERE state = 'set_aside'"
        ).fetchone()
        (kept_bytes,) = self._db.execute("SELECT kept_bytes FROM terminal").fetchone()
        return Status(waiting, oldest, aside, kept_bytes)

    def set_aside(self) -> list[Entry]:
        """Return what the server refused for good, oldest first; a person has to look."""
        return self._list("state = 'set_aside' ORDER BY id")

    def retry(self, entry_id: int) -> None:
        """Let one that was set aside be sent again, as it is, after its cause was removed."""
        self._db.execute(
            "UPDATE entry SET state = 'waiting', ended_at = NULL, problem = NULL"
            " WHERE id = ? AND state = 'set_aside'",
            (entry_id,),
        )

    def forget(self, entry_id: int) -> None:
        """Give up one that was set aside; whoever calls this has dealt with it otherwise."""
        with self._transaction():
            for entry in self._list("id = ? AND state = 'set_aside'", entry_id):
                self._db.execute("DELETE FROM entry WHERE id = ?", (entry.id,))
                self._shrink(entry)

    # --- for the sender ---------------------------------------------------------------------

    def head(self, *, rows_max: int, bytes_max: int) -> list[Entry]:
        """Return what is to be sent next: some purchases in their order, or one other thing."""
        chosen: list[Entry] = []
        size = 0
        for entry in self._list("state = 'waiting' ORDER BY id LIMIT ?", rows_max):
            size += len(entry.body or b"")
            if chosen and (entry.kind != "purchase" or size > bytes_max):
                break
            chosen.append(entry)
            if entry.kind != "purchase":
                break
        return chosen

    def finish(self, verdicts: Sequence[tuple[Entry, Done | Never]]) -> None:
        """Mark entries done or set aside, and forget what was done long ago; one transaction."""
        now = self._now()
        forgotten = (datetime.now(UTC) - KEPT_DONE).isoformat()
        with self._transaction():
            for entry, verdict in verdicts:
                if isinstance(verdict, Done):
                    self._done(entry, verdict, now)
                else:
                    problem = json.dumps(dict(verdict.problem))
                    self._end(entry, "state = 'set_aside', problem = ?", (problem,), now)
            self._db.execute(
                "DELETE FROM entry WHERE state = 'done' AND ended_at < ?", (forgotten,)
            )

    @contextmanager
    def sending(self) -> Generator[None, None, None]:
        """Hold the right to send; raises ``SpoolInUse`` while another process or object has it.

        A lock of SQLite's own on a file beside: it works on every system, and the system lets go
        of it when the process dies.
        """
        beside = self.path.with_name(f"{self.path.name}.sending")
        lock = sqlite3.connect(beside, timeout=0, isolation_level=None)
        try:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                raise SpoolInUse(f"{self.path} is being sent by another process") from error
            yield
        finally:
            lock.close()

    # --- inside -----------------------------------------------------------------------------

    def _prepare(self) -> None:
        with self._transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(
                    "INSERT INTO terminal VALUES (1, ?, ?, 1, 0)", (self.store_id, self.terminal_id)
                )
                self._db.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise SpoolError(f"{self.path} has format {version}, this code knows {VERSION}")
            owner = self._db.execute("SELECT store_id, terminal_id FROM terminal").fetchone()
        if owner != (self.store_id, self.terminal_id):
            raise OtherTerminal(f"{self.path} is the spool of terminal {owner[1]}")

    @contextmanager
    def _transaction(self) -> Generator[None, None, None]:
        # IMMEDIATE: what is read before the first write is still true at the commit.
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _key(self, kind: Kind, said: Mapping[str, Any]) -> str:
        receipt: Mapping[str, Any] = said.get("purchase", {}) if kind == "amendment" else said
        names = ("store_id", "terminal_id", "business_date", "receipt_no")
        missing = [name for name in names if not receipt.get(name)]
        if missing:
            raise SpoolError(f"a {kind} needs {', '.join(missing)} before it can be kept")
        if (receipt["store_id"], receipt["terminal_id"]) != (self.store_id, self.terminal_id):
            raise OtherTerminal(f"this is the spool of terminal {self.terminal_id}")
        revision = [said.get("revision")] if kind == "amendment" else []
        return json.dumps([kind, *(receipt[name] for name in names), *revision])

    def _known(self, key: str, digest: bytes) -> Entry | None:
        found = self._db.execute("SELECT said_sha256 FROM entry WHERE key = ?", (key,)).fetchone()
        if found is None:
            return None
        if found[0] != digest:
            raise NumberTaken(f"{key} was kept with other contents")
        return self._list("key = ?", key)[0]

    def _check_size(self, sent: bytes, kept_bytes: int) -> None:
        if len(sent) > BODY_BYTES_MAX:
            raise BodyTooLarge(f"{len(sent):,} bytes; the server takes {BODY_BYTES_MAX:,}")
        if kept_bytes + len(sent) > self._max_bytes:
            raise SpoolFull(
                f"{kept_bytes:,} bytes wait in {self.path}, {self._max_bytes:,} are allowed"
            )

    def _done(self, entry: Entry, done: Done, now: str) -> None:
        marked = "state = 'done', body = NULL, event_id = ?, claim_token = ?"
        if self._end(entry, marked, (done.event_id, done.claim_token), now):
            self._shrink(entry)

    def _shrink(self, entry: Entry) -> None:
        size = len(entry.body or b"")
        self._db.execute("UPDATE terminal SET kept_bytes = kept_bytes - ?", (size,))

    def _end(self, entry: Entry, marked: str, values: Iterable[str | None], now: str) -> bool:
        changed = self._db.execute(
            f"UPDATE entry SET {marked}, ended_at = ? WHERE id = ? AND state = 'waiting'",  # noqa: S608
            (*values, now, entry.id),
        )
        return changed.rowcount == 1

    def _list(self, where: str, *values: object) -> list[Entry]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM entry WHERE {where}", values)  # noqa: S608
        return [Entry(*row) for row in rows]

    def _now(self) -> str:
        return datetime.now(UTC).isoformat()


def _json(said: Mapping[str, Any], *, sort_keys: bool = False) -> bytes:
    # Not a number that JSON can not say, and a decimal point only where the till wrote one.
    return json.dumps(
        said, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False, separators=(",", ":")
    ).encode()
