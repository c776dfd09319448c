from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.field_body_kind import FieldBodyKind
from ..types import UNSET, Unset
from typing import cast

if TYPE_CHECKING:
    from ..models.field_body_hint import FieldBodyHint
    from ..models.field_body_label import FieldBodyLabel
    from ..models.option import Option


T = TypeVar("T", bound="FieldBody")


@_attrs_define
class FieldBody:
    """One question. A form has at most one field of each kind but ``choice`` and ``text``.

    Attributes:
        kind (FieldBodyKind):
        label (FieldBodyLabel):
        name (str):
        chars_max (int | Unset):  Default: 1000.
        hint (FieldBodyHint | Unset):
        options (list[Option] | Unset):
        required (bool | Unset):  Default: False.
    """

    kind: FieldBodyKind
    label: FieldBodyLabel
    name: str
    chars_max: int | Unset = 1000
    hint: FieldBodyHint | Unset = UNSET
    options: list[Option] | Unset = UNSET
    required: bool | Unset = False

    def to_dict(self) -> dict[str, Any]:
        from ..models.field_body_hint import FieldBodyHint  # noqa: PLC0415
        from ..models.field_body_label import FieldBodyLabel  # noqa: PLC0415
        from ..models.option import Option  # noqa: PLC0415

        kind = self.kind.value

        label = self.label.to_dict()

        name = self.name

        chars_max = self.chars_max

        hint: dict[str, Any] | Unset = UNSET
        if not isinstance(self.hint, Unset):
            hint = self.hint.to_dict()

        options: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.options, Unset):
            options = []
            for options_item_data in self.options:
                options_item = options_item_data.to_dict()
                options.append(options_item)

        required = self.required

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "kind": kind,
                "label": label,
                "name": name,
            }
        )
        if chars_max is not UNSET:
            field_dict["chars_max"] = chars_max
        if hint is not UNSET:
            field_dict["hint"] = hint
        if options is not UNSET:
            field_dict["options"] = options
        if required is not UNSET:
            field_dict["required"] = required

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.field_body_hint import FieldBodyHint  # noqa: PLC0415
        from ..models.field_body_label import FieldBodyLabel  # noqa: PLC0415
        from ..models.option import Option  # noqa: PLC0415

        d = dict(src_dict)
        kind = FieldBodyKind(d.pop("kind"))

        label = FieldBodyLabel.from_dict(d.pop("label"))

        name = d.pop("name")

        chars_max = d.pop("chars_max", UNSET)

        _hint = d.pop("hint", UNSET)
        hint: FieldBodyHint | Unset
        if isinstance(_hint, Unset):
            hint = UNSET
        else:
            hint = FieldBodyHint.from_dict(_hint)

        _options = d.pop("options", UNSET)
        options: list[Option] | Unset = UNSET
        if _options is not UNSET:
            options = []
            for options_item_data in _options:
                options_item = Option.from_dict(options_item_data)

                options.append(options_item)

        required = d.pop("required", UNSET)

        field_body = cls(
            kind=kind,
            label=label,
            name=name,
            chars_max=chars_max,
            hint=hint,
            options=options,
            required=required,
        )

        return field_body
