from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast


T = TypeVar("T", bound="Texts")


@_attrs_define
class Texts:
    """What is said around the fields, in one language; plain text, blank lines part paragraphs.

    Attributes:
        submit (str):
        thanks (str):
        title (str):
        intro (str | Unset):  Default: ''.
        privacy_url (None | str | Unset):
    """

    submit: str
    thanks: str
    title: str
    intro: str | Unset = ""
    privacy_url: None | str | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        submit = self.submit

        thanks = self.thanks

        title = self.title

        intro = self.intro

        privacy_url: None | str | Unset
        if isinstance(self.privacy_url, Unset):
            privacy_url = UNSET
        else:
            privacy_url = self.privacy_url

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "submit": submit,
                "thanks": thanks,
                "title": title,
            }
        )
        if intro is not UNSET:
            field_dict["intro"] = intro
        if privacy_url is not UNSET:
            field_dict["privacy_url"] = privacy_url

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        submit = d.pop("submit")

        thanks = d.pop("thanks")

        title = d.pop("title")

        intro = d.pop("intro", UNSET)

        def _parse_privacy_url(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        privacy_url = _parse_privacy_url(d.pop("privacy_url", UNSET))

        texts = cls(
            submit=submit,
            thanks=thanks,
            title=title,
            intro=intro,
            privacy_url=privacy_url,
        )

        return texts
