from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.sweepstakes_body_one_entry_per_item import SweepstakesBodyOneEntryPerItem
from ..models.sweepstakes_body_period import SweepstakesBodyPeriod
from typing import cast


T = TypeVar("T", bound="SweepstakesBody")


@_attrs_define
class SweepstakesBody:
    """One entry per person and period; fixed with the form's first version.

    Attributes:
        one_entry_per (list[SweepstakesBodyOneEntryPerItem]):
        period (SweepstakesBodyPeriod):
        time_zone (str):
    """

    one_entry_per: list[SweepstakesBodyOneEntryPerItem]
    period: SweepstakesBodyPeriod
    time_zone: str

    def to_dict(self) -> dict[str, Any]:
        one_entry_per = []
        for one_entry_per_item_data in self.one_entry_per:
            one_entry_per_item = one_entry_per_item_data.value
            one_entry_per.append(one_entry_per_item)

        period = self.period.value

        time_zone = self.time_zone

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "one_entry_per": one_entry_per,
                "period": period,
                "time_zone": time_zone,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        one_entry_per = []
        _one_entry_per = d.pop("one_entry_per")
        for one_entry_per_item_data in _one_entry_per:
            one_entry_per_item = SweepstakesBodyOneEntryPerItem(one_entry_per_item_data)

            one_entry_per.append(one_entry_per_item)

        period = SweepstakesBodyPeriod(d.pop("period"))

        time_zone = d.pop("time_zone")

        sweepstakes_body = cls(
            one_entry_per=one_entry_per,
            period=period,
            time_zone=time_zone,
        )

        return sweepstakes_body
