from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
    from ..models.form_body import FormBody


T = TypeVar("T", bound="FormVersion")


@_attrs_define
class FormVersion:
    """One version of a form, which never changes.

    Attributes:
        form (FormBody): A form. Publishing it makes an immutable version: the evidence of what people were told.
        form_id (str):
        published_at (datetime.datetime):
        version (int):
    """

    form: FormBody
    form_id: str
    published_at: datetime.datetime
    version: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.form_body import FormBody  # noqa: PLC0415

        form = self.form.to_dict()

        form_id = self.form_id

        published_at = self.published_at.isoformat()

        version = self.version

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "form": form,
                "form_id": form_id,
                "published_at": published_at,
                "version": version,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.form_body import FormBody  # noqa: PLC0415

        d = dict(src_dict)
        form = FormBody.from_dict(d.pop("form"))

        form_id = d.pop("form_id")

        published_at = datetime.datetime.fromisoformat(d.pop("published_at"))

        version = d.pop("version")

        form_version = cls(
            form=form,
            form_id=form_id,
            published_at=published_at,
            version=version,
        )

        form_version.additional_properties = d
        return form_version

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
