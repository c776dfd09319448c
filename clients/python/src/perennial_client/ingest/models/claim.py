from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
    from ..models.member_reference import MemberReference


T = TypeVar("T", bound="Claim")


@_attrs_define
class Claim:
    """A token, and who shows it.

    Attributes:
        claim_token (str):
        member (MemberReference): How the member was recognised: exactly one of these.
    """

    claim_token: str
    member: MemberReference

    def to_dict(self) -> dict[str, Any]:
        from ..models.member_reference import MemberReference  # noqa: PLC0415

        claim_token = self.claim_token

        member = self.member.to_dict()

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "claim_token": claim_token,
                "member": member,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.member_reference import MemberReference  # noqa: PLC0415

        d = dict(src_dict)
        claim_token = d.pop("claim_token")

        member = MemberReference.from_dict(d.pop("member"))

        claim = cls(
            claim_token=claim_token,
            member=member,
        )

        return claim
