from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.consent_body_channel import ConsentBodyChannel
from ..models.consent_body_purpose import ConsentBodyPurpose
from typing import cast

if TYPE_CHECKING:
    from ..models.consent_body_wording import ConsentBodyWording


T = TypeVar("T", bound="ConsentBody")


@_attrs_define
class ConsentBody:
    """A box that may be ticked, never a condition: one purpose, one channel, the exact words.

    Attributes:
        channel (ConsentBodyChannel):
        purpose (ConsentBodyPurpose):
        wording (ConsentBodyWording):
    """

    channel: ConsentBodyChannel
    purpose: ConsentBodyPurpose
    wording: ConsentBodyWording

    def to_dict(self) -> dict[str, Any]:
        from ..models.consent_body_wording import ConsentBodyWording  # noqa: PLC0415

        channel = self.channel.value

        purpose = self.purpose.value

        wording = self.wording.to_dict()

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "channel": channel,
                "purpose": purpose,
                "wording": wording,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.consent_body_wording import ConsentBodyWording  # noqa: PLC0415

        d = dict(src_dict)
        channel = ConsentBodyChannel(d.pop("channel"))

        purpose = ConsentBodyPurpose(d.pop("purpose"))

        wording = ConsentBodyWording.from_dict(d.pop("wording"))

        consent_body = cls(
            channel=channel,
            purpose=purpose,
            wording=wording,
        )

        return consent_body
