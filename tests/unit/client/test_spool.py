"""The spool on its own: nothing lost, nothing twice, numbered without gaps."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import time_machine

from perennial_client import (
    BodyTooLarge,
    NumberTaken,
    OtherTerminal,
    Spool,
    SpoolError,
    SpoolFull,
    SpoolInUse,
)
from perennial_client.answers import Done, Never
from perennial_client.ingest import models

OpenSpool = Callable[..., Spool]

PUTTER = """
import sys
from perennial_client import Spool
path, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Spool(path, store_id="0042", terminal_id="0042-03") as spool:
    for number in range(count):
        spool.put("purchase", {
            "store_id": "0042", "terminal_id": "0042-03", "business_date": "2026-11-22",
            "receipt_no": f"{prefix}{number}"})
        print(number, flush=True)
"""


def sale(receipt_no: str = "1", **changes: Any) -> dict[str, Any]:
    return {
        "store_id": "0042",
        "terminal_id": "0042-03",
        "business_date": "2026-11-22",
        "receipt_no": receipt_no,
        "total_minor": 111,
    } | changes


@pytest.fixture
def open_spool(tmp_path: Path) -> OpenSpool:
    """Open the same file again and again."""

    def opened(**settings: Any) -> Spool:
        named: dict[str, Any] = {"store_id": "0042", "terminal_id": "0042-03"} | settings
        return Spool(tmp_path / "till.db", **named)

    return opened


def test_what_was_put_is_there_after_a_restart_byte_by_byte(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        put = spool.put("purchase", sale(description="Käse"))

    with open_spool() as again:
        (entry,) = again.head(rows_max=10, bytes_max=1000)
    assert entry == put
    assert entry.body == (
        b'{"store_id":"0042","terminal_id":"0042-03","business_date":"2026-11-22",'
        b'"receipt_no":"1","total_minor":111,"description":"K\xc3\xa4se","terminal_seq":1}'
    )


def test_the_same_receipt_put_twice_is_one_and_takes_no_number(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        first = spool.put("purchase", sale())
        again = spool.put("purchase", dict(reversed(sale().items())))
        second = spool.put("purchase", sale("2"))
    assert first == again
    assert (first.terminal_seq, second.terminal_seq) == (1, 2)


def test_another_receipt_under_the_same_number_is_refused(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        spool.put("purchase", sale())
        with pytest.raises(NumberTaken):
            spool.put("purchase", sale(total_minor=112))
        assert spool.put("return", sale()).id != spool.put("void", sale()).id
        assert spool.status().waiting == 3


def test_amendments_are_told_apart_by_their_revision(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        second = spool.put("amendment", {"revision": 2, "purchase": sale()})
        third = spool.put("amendment", {"revision": 3, "purchase": sale()})
    assert second.key != third.key
    assert (second.body or b"").endswith(b'"total_minor":111},"terminal_seq":1}')


def test_whatever_is_put_counts_in_one_row_of_numbers(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        numbers = [spool.put(kind, sale()).terminal_seq for kind in ("purchase", "return", "void")]
    with open_spool(numbered=False) as spool:
        assert spool.put("purchase", sale("2")).terminal_seq is None
    assert numbers == [1, 2, 3]


def test_models_of_the_generated_client_can_be_put(open_spool: OpenSpool) -> None:
    line = {"line_no": 1, "sku": "1", "quantity": "1.12", "amount_minor": 111}
    said = sale(occurred_at="2026-11-22T14:05:00+01:00", currency="USD", lines=[line])
    with open_spool() as spool:
        entry = spool.put("purchase", models.Purchase.from_dict(said))
    assert b'"quantity":"1.12"' in (entry.body or b"")


@pytest.mark.parametrize("number", ["store_id", "terminal_id", "business_date", "receipt_no"])
def test_a_receipt_without_its_natural_key_is_refused(open_spool: OpenSpool, number: str) -> None:
    with open_spool() as spool, pytest.raises(SpoolError):
        spool.put("purchase", sale() | {number: ""})


def test_a_number_that_json_has_not_is_refused_at_the_till(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        with pytest.raises(ValueError, match="JSON"):
            spool.put("purchase", sale(total_minor=float("nan")))
        assert spool.status().waiting == 0


def test_another_terminals_file_or_receipt_is_refused(open_spool: OpenSpool) -> None:
    with open_spool() as spool, pytest.raises(OtherTerminal):
        spool.put("purchase", sale(terminal_id="0042-04"))
    with pytest.raises(OtherTerminal):
        open_spool(terminal_id="0042-04")


def test_a_full_spool_says_so_and_takes_again_once_it_was_sent(open_spool: OpenSpool) -> None:
    with open_spool(max_bytes=300) as spool:
        first = spool.put("purchase", sale("1"))
        second = spool.put("purchase", sale("2"))
        with pytest.raises(SpoolFull, match="wait"):
            spool.put("purchase", sale("3"))
        assert spool.put("purchase", sale("2")) == second

        spool.finish([(first, Done("e", duplicate=False, claim_token=None))])

        assert spool.put("purchase", sale("3")).terminal_seq == 3


def test_a_body_that_no_server_takes_is_refused_at_once(open_spool: OpenSpool) -> None:
    with open_spool() as spool, pytest.raises(BodyTooLarge):
        spool.put("purchase", sale(note="x" * 300_000))


def test_purchases_go_in_batches_and_all_else_alone_in_their_order(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        for number in "12":
            spool.put("purchase", sale(number))
        spool.put("return", sale("R1"))
        spool.put("purchase", sale("3"))
        sent: list[list[str]] = []
        while head := spool.head(rows_max=10, bytes_max=10_000):
            sent.append([entry.key.split('"')[-2] for entry in head])
            spool.finish([(one, Done("e", duplicate=False, claim_token=None)) for one in head])
        assert sent == [["1", "2"], ["R1"], ["3"]]


def test_a_batch_is_bounded_by_bytes_but_never_empty(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        size = len(spool.put("purchase", sale("1")).body or b"")
        for number in "23":
            spool.put("purchase", sale(number))
        assert len(spool.head(rows_max=10, bytes_max=2 * size)) == 2
        assert len(spool.head(rows_max=10, bytes_max=1)) == 1
        assert len(spool.head(rows_max=1, bytes_max=10_000)) == 1


def test_marking_twice_changes_nothing_the_second_time(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        entry = spool.put("purchase", sale())
        other = spool.put("purchase", sale("2"))
        spool.finish([(entry, Done("first", duplicate=False, claim_token="c"))])
        spool.finish([(entry, Done("second", duplicate=True, claim_token=None))])
        found = spool.find("purchase", sale())
        assert found is not None
        assert (found.state, found.event_id, found.claim_token) == ("done", "first", "c")
        assert spool.status().kept_bytes == len(other.body or b"")


def test_what_was_set_aside_can_be_retried_or_forgotten(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        entries = [spool.put("purchase", sale(number)) for number in "12"]
        spool.finish([(entry, Never({"code": "purchase_conflict"})) for entry in entries])
        assert [one.problem for one in spool.set_aside()] == ['{"code": "purchase_conflict"}'] * 2
        assert spool.head(rows_max=10, bytes_max=1000) == []

        spool.retry(entries[0].id)
        spool.forget(entries[1].id)
        spool.forget(entries[0].id)

        assert [one.id for one in spool.head(rows_max=10, bytes_max=1000)] == [entries[0].id]
        assert spool.status().kept_bytes == len(entries[0].body or b"")


def test_what_was_done_is_known_for_a_week(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        done = Done("e", duplicate=False, claim_token=None)
        with time_machine.travel("2026-11-01T12:00:00Z"):
            spool.finish([(spool.put("purchase", sale("1")), done)])
        with time_machine.travel("2026-11-08T11:00:00Z"):
            spool.finish([(spool.put("purchase", sale("2")), done)])
            assert spool.put("purchase", sale("1")).state == "done"
        with time_machine.travel("2026-11-08T13:00:00Z"):
            spool.finish([(spool.put("purchase", sale("3")), done)])
            assert spool.find("purchase", sale("1")) is None
            assert spool.find("purchase", sale("2")) is not None


def test_a_spool_has_one_sender(open_spool: OpenSpool) -> None:
    with open_spool() as spool, open_spool() as other:
        with spool.sending():
            with pytest.raises(SpoolInUse), other.sending():
                pass
            other.put("purchase", sale())
        with other.sending():
            pass


def test_several_processes_put_at_once_and_the_numbers_have_no_gap(open_spool: OpenSpool) -> None:
    with open_spool() as spool:
        command = [sys.executable, "-c", PUTTER, str(spool.path)]
        putters = [
            subprocess.Popen([*command, prefix, "40"], stdout=subprocess.DEVNULL)
            for prefix in "abc"
        ]
        assert [one.wait(30) for one in putters] == [0, 0, 0]
        sent = spool.head(rows_max=500, bytes_max=10**6)
    assert [one.terminal_seq for one in sent] == list(range(1, 121))


def test_a_till_killed_while_it_puts_loses_nothing_it_was_told_is_kept(
    open_spool: OpenSpool,
) -> None:
    with open_spool() as spool:
        for life in range(5):
            command = [sys.executable, "-c", PUTTER, str(spool.path), f"{life}-", "100000"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as till:
                assert till.stdout is not None
                said = [till.stdout.readline() for _ in range(7 + 3 * life)]
                os.kill(till.pid, signal.SIGKILL)
                said += till.stdout.readlines()
            kept = [one.key for one in spool.head(rows_max=10**6, bytes_max=10**9)]
            mine = [key for key in kept if f'"{life}-' in key]
            assert len(mine) - len(said) in {0, 1}
        numbers = [one.terminal_seq for one in spool.head(rows_max=10**6, bytes_max=10**9)]
    assert numbers == list(range(1, len(numbers) + 1))
