from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.row_result_outcome import RowResultOutcome
from ..types import UNSET, Unset
from typing import cast
from uuid import UUID

if TYPE_CHECKING:
    from ..models.row_result_problem_type_0 import RowResultProblemType0


T = TypeVar("T", bound="RowResult")


@_attrs_define
class RowResult:
    """What became of one row.

    Attributes:
        index (int):
        outcome (RowResultOutcome):
        claim_token (None | str | Unset):
        event_id (None | Unset | UUID):
        problem (None | RowResultProblemType0 | Unset):
    """

    index: int
    outcome: RowResultOutcome
    claim_token: None | str | Unset = UNSET
    event_id: None | Unset | UUID = UNSET
    problem: None | RowResultProblemType0 | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.row_result_problem_type_0 import RowResultProblemType0  # noqa: PLC0415

        index = self.index

        outcome = self.outcome.value

        claim_token: None | str | Unset
        if isinstance(self.claim_token, Unset):
            claim_token = UNSET
        else:
            claim_token = self.claim_token

        event_id: None | str | Unset
        if isinstance(self.event_id, Unset):
            event_id = UNSET
        elif isinstance(self.event_id, UUID):
            event_id = str(self.event_id)
        else:
            event_id = self.event_id

        problem: dict[str, Any] | None | Unset
        if isinstance(self.problem, Unset):
            problem = UNSET
        elif isinstance(self.problem, RowResultProblemType0):
            problem = self.problem.to_dict()
        else:
            problem = self.problem

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "index": index,
                "outcome": outcome,
            }
        )
        if claim_token is not UNSET:
            field_dict["claim_token"] = claim_token
        if event_id is not UNSET:
            field_dict["event_id"] = event_id
        if problem is not UNSET:
            field_dict["problem"] = problem

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.row_result_problem_type_0 import RowResultProblemType0  # noqa: PLC0415

        d = dict(src_dict)
        index = d.pop("index")

        outcome = RowResultOutcome(d.pop("outcome"))

        def _parse_claim_token(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        claim_token = _parse_claim_token(d.pop("claim_token", UNSET))

        def _parse_event_id(data: object) -> None | Unset | UUID:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                event_id_type_0 = UUID(data)

                return event_id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Unset | UUID, data)

        event_id = _parse_event_id(d.pop("event_id", UNSET))

        def _parse_problem(data: object) -> None | RowResultProblemType0 | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                problem_type_0 = RowResultProblemType0.from_dict(data)

                return problem_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | RowResultProblemType0 | Unset, data)

        problem = _parse_problem(d.pop("problem", UNSET))

        row_result = cls(
            index=index,
            outcome=outcome,
            claim_token=claim_token,
            event_id=event_id,
            problem=problem,
        )

        row_result.additional_properties = d
        return row_result

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
