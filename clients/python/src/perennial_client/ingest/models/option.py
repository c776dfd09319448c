from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
    from ..models.option_label import OptionLabel


T = TypeVar("T", bound="Option")


@_attrs_define
class Option:
    """One answer of a choice.

    Attributes:
        label (OptionLabel):
        value (str):
    """

    label: OptionLabel
    value: str

    def to_dict(self) -> dict[str, Any]:
        from ..models.option_label import OptionLabel  # noqa: PLC0415

        label = self.label.to_dict()

        value = self.value

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "label": label,
                "value": value,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.option_label import OptionLabel  # noqa: PLC0415

        d = dict(src_dict)
        label = OptionLabel.from_dict(d.pop("label"))

        value = d.pop("value")

        option = cls(
            label=label,
            value=value,
        )

        return option
