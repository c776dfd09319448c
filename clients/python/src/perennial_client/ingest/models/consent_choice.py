from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.consent_choice_channel import ConsentChoiceChannel
from ..models.consent_choice_purpose import ConsentChoicePurpose


T = TypeVar("T", bound="ConsentChoice")


@_attrs_define
class ConsentChoice:
    """A box that was ticked.

    Attributes:
        channel (ConsentChoiceChannel):
        purpose (ConsentChoicePurpose):
    """

    channel: ConsentChoiceChannel
    purpose: ConsentChoicePurpose

    def to_dict(self) -> dict[str, Any]:
        channel = self.channel.value

        purpose = self.purpose.value

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "channel": channel,
                "purpose": purpose,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        channel = ConsentChoiceChannel(d.pop("channel"))

        purpose = ConsentChoicePurpose(d.pop("purpose"))

        consent_choice = cls(
            channel=channel,
            purpose=purpose,
        )

        return consent_choice
