"""Who is calling, once the key has been verified."""

from collections.abc import Callable
from dataclasses import dataclass, field

from shared.contracts.credentials import Role
from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of a valid key. ``store_id`` and ``terminal_id`` are set for terminals."""

    key_id: str
    role: Role
    store_id: str | None = None
    terminal_id: str | None = None
    note_refusal: Callable[[str, str, str | None], None] | None = field(
        default=None, repr=False, compare=False
    )
    """Takes key, store and terminal of a call that is refused below, for the audit."""

    def check_terminal(self, store_id: str, terminal_id: str | None = None) -> None:
        """Raise ``Refused`` (403) if a terminal's key speaks for another store or terminal.

        Only keys of role ``terminal`` are bound. Leave ``terminal_id`` out where the store alone
        matters.
        """
        if self.role != "terminal":
            return
        other_store = store_id != self.store_id
        # A key without a terminal id is good for every terminal of its store.
        other_terminal = (
            terminal_id is not None
            and self.terminal_id is not None
            and terminal_id != self.terminal_id
        )
        if other_store or other_terminal:
            if self.note_refusal:
                self.note_refusal(self.key_id, store_id, terminal_id)
            raise Refused(
                "wrong_terminal", "This key belongs to another store or terminal.", status=403
            )
