"""Turns: one piece of one upload, then whoever else is ready."""

import asyncio
from itertools import pairwise

import pytest

from shared.http.turns import Turns


async def test_others_get_on_between_the_pieces_of_uploads() -> None:
    turns = Turns()
    seen: list[str] = []

    async def upload(name: str) -> None:
        for _ in range(3):
            async with turns.take():
                seen.append(name)

    async def till() -> None:
        for _ in range(6):
            seen.append("till")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for work in (upload("a"), upload("b"), till()):
            group.create_task(work)

    assert sorted(seen) == ["a"] * 3 + ["b"] * 3 + ["till"] * 6
    pieces = [at for at, name in enumerate(seen[: seen.index("b") + 5]) if name != "till"]
    assert all(later - earlier > 1 for earlier, later in pairwise(pieces))


async def test_who_fails_in_its_turn_holds_nobody_up() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="bad"):
        async with turns.take():
            int("bad")
    async with asyncio.timeout(1), turns.take():
        pass
