"""Merge a member into another, and undo it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import accounts, held
from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.members import Member
from services.loyalty.domain.merges import Merge
from services.loyalty.handlers import (
    announce,
    books,
    challenges,
    enrol,
    holds,
    member_events,
    tiers,
    who,
)
from services.loyalty.store import members as member_store
from services.loyalty.store import merges as store
from shared import ids
from shared.auth import Caller
from shared.db import Tx, outbox
from shared.errors import Malformed, Refused

AN_INSTANT = timedelta(microseconds=1)


async def merge(
    tx: Tx, member_id: UUID, caller: Caller, context: LoyaltyContext, *, into_id: UUID
) -> Merge:
    """Let ``into_id`` take over from a member; the same again changes nothing.

    Both accounts are locked, then both members. Raises ``Refused``: 404 for who is not there, 409
    for who was merged into yet another; so nobody can be merged in a circle.
    """
    if member_id == into_id:
        message = "must be another member"
        errors = [{"field": "into", "message": message}]
        raise Malformed("invalid_request", f"into {message}", errors=errors)
    for one in (member_id, into_id):
        await enrol.get(tx, one)
    await store.lock_devices(tx, member_id)
    members = await books.lock(tx, {member_id, into_id}, context)
    known = await member_store.lock_all(tx, {member_id, into_id})
    stands = members[member_id].merge
    if stands is not None and stands.into_id == into_id and known[member_id].status == "merged":
        return stands
    for one in (member_id, into_id):
        enrol.active(known[one])
    holdings = await books.load_holdings(tx, known)
    # After all that was granted: it was granted on what each of them had.
    now = context.clock.now()
    now = max(holds.grant_time(held, now) for held in holdings.values()) + AN_INSTANT
    new = Merge(ids.new_id(), member_id, into_id, now, caller.key_id)
    members[member_id].merge = new
    await store.append(tx, new)
    await _post(tx, new, members, context)
    await store.move_keys(tx, member_id, into_id)
    known = await member_store.lock_all(tx, known)
    departed = replace(known[member_id], status="merged", merged_into=into_id)
    await _announce(tx, new, [departed, known[into_id]])
    return new


async def unmerge(tx: Tx, member_id: UUID, caller: Caller, context: LoyaltyContext) -> Merge:
    """Undo what ``merge`` did; again changes nothing.

    What was spent meanwhile stays spent by who had taken over. Raises ``Refused``: 404 for who is
    not there, 409 for one who was never merged.
    """
    await enrol.get(tx, member_id)
    await store.lock_devices(tx, member_id)
    members = await books.lock(tx, {member_id}, context)
    stands = members[member_id].merge
    if stands is None:
        last = await store.load_last(tx, member_id)
        if last is None:
            raise Refused("member_not_merged", "This member was never merged into another.")
        return last
    line = accounts.line(members, member_id)
    known = await member_store.lock_all(tx, line)
    if known[member_id].status != "merged":
        raise Refused("member_unknown", "There is no such member.", status=404)
    undone = stands.undo(caller.key_id, max(context.clock.now(), stands.merged_at))
    members[member_id].merge = undone
    await store.undo(tx, undone)
    await _post(tx, undone, members, context)
    await store.give_keys_back(tx, member_id)
    known = await member_store.lock_all(tx, known)
    returned = replace(known[member_id], status="active", merged_into=None)
    await _announce(tx, undone, [returned, *(known[one] for one in line[1:])])
    return undone


async def _post(
    tx: Tx, change: Merge, members: dict[UUID, MemberState], context: LoyaltyContext
) -> None:
    """Post what a merge, or its end, moves between two books, and what it does to tiers."""
    accounts.credit(members, change.member_id, -1 if change.undone_at else 1)
    at = change.undone_at or change.merged_at
    cause_id = ids.derived_id(change.merge_id, "tiers", 1 if change.undone_at else 0)
    heirs = accounts.line(members, change.member_id)[1:]
    programme = await context.rules.follow(tx)
    late = held.joined(change, heirs, cause_id) if programme.by_tier else {}
    loaded = await who.read_histories(tx, late, programme)
    context.rules.check_fresh(programme)
    book = books.open_book(members, context, loaded)
    book.levels = held.foresee(book, late)
    held.follow(book, late)
    gifts = await challenges.follow(tx, book, ()) if book.releveled else ()
    closed = await books.write(tx, Batch(book, at, gifts=gifts), redraw={change.member_id})
    await tiers.review(tx, book, [tiers.cause(members[one], one, cause_id, at) for one in heirs])
    await announce.on_ledger(tx, book, closed)


async def _announce(tx: Tx, change: Merge, known: Sequence[Member]) -> None:
    """Write and announce who the members are now."""
    after = [replace(one, version=one.version + 1) for one in known]
    for one in after:
        await member_store.update_standing(tx, one)
    identifiers = await member_store.list_identifiers(tx, [one.member_id for one in after])
    at = change.undone_at or change.merged_at
    await outbox.append(
        tx, [member_events.state(one, identifiers[one.member_id], at=at) for one in after]
    )
