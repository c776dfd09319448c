from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast

if TYPE_CHECKING:
    from ..models.purchase import Purchase


T = TypeVar("T", bound="Amendment")


@_attrs_define
class Amendment:
    """The whole purchase again, put right; the highest revision counts.

    Attributes:
        purchase (Purchase): A sale, as the till made it.

            Dumped to JSON it is the receipt's facts in canonical form: one order of fields and lines,
            quantities in thousandths, defaults filled in. What is excluded stands beside the facts.
        reason (str):
        revision (int):
        terminal_seq (int | None | Unset):
    """

    purchase: Purchase
    reason: str
    revision: int
    terminal_seq: int | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.purchase import Purchase  # noqa: PLC0415

        purchase = self.purchase.to_dict()

        reason = self.reason

        revision = self.revision

        terminal_seq: int | None | Unset
        if isinstance(self.terminal_seq, Unset):
            terminal_seq = UNSET
        else:
            terminal_seq = self.terminal_seq

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "purchase": purchase,
                "reason": reason,
                "revision": revision,
            }
        )
        if terminal_seq is not UNSET:
            field_dict["terminal_seq"] = terminal_seq

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.purchase import Purchase  # noqa: PLC0415

        d = dict(src_dict)
        purchase = Purchase.from_dict(d.pop("purchase"))

        reason = d.pop("reason")

        revision = d.pop("revision")

        def _parse_terminal_seq(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        terminal_seq = _parse_terminal_seq(d.pop("terminal_seq", UNSET))

        amendment = cls(
            purchase=purchase,
            reason=reason,
            revision=revision,
            terminal_seq=terminal_seq,
        )

        return amendment
