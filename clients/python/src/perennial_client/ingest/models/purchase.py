from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.purchase_fulfilment import PurchaseFulfilment
from ..models.purchase_sales_channel import PurchaseSalesChannel
from ..types import UNSET, Unset
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
    from ..models.line import Line
    from ..models.member_reference import MemberReference
    from ..models.tender import Tender


T = TypeVar("T", bound="Purchase")


@_attrs_define
class Purchase:
    """A sale, as the till made it.

    Dumped to JSON it is the receipt's facts in canonical form: one order of fields and lines,
    quantities in thousandths, defaults filled in. What is excluded stands beside the facts.

        Attributes:
            business_date (datetime.date):
            currency (str):
            lines (list[Line]):
            occurred_at (datetime.datetime):
            receipt_no (str):
            store_id (str):
            terminal_id (str):
            total_minor (int):
            fulfilment (PurchaseFulfilment | Unset):  Default: PurchaseFulfilment.COMPLETE.
            hold_ids (list[UUID] | Unset):
            member (MemberReference | None | Unset):
            offer_ids (list[UUID] | Unset):
            quote_id (None | Unset | UUID):
            sales_channel (PurchaseSalesChannel | Unset):  Default: PurchaseSalesChannel.POS.
            tenders (list[Tender] | Unset):
            terminal_seq (int | None | Unset):
    """

    business_date: datetime.date
    currency: str
    lines: list[Line]
    occurred_at: datetime.datetime
    receipt_no: str
    store_id: str
    terminal_id: str
    total_minor: int
    fulfilment: PurchaseFulfilment | Unset = PurchaseFulfilment.COMPLETE
    hold_ids: list[UUID] | Unset = UNSET
    member: MemberReference | None | Unset = UNSET
    offer_ids: list[UUID] | Unset = UNSET
    quote_id: None | Unset | UUID = UNSET
    sales_channel: PurchaseSalesChannel | Unset = PurchaseSalesChannel.POS
    tenders: list[Tender] | Unset = UNSET
    terminal_seq: int | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.line import Line  # noqa: PLC0415
        from ..models.member_reference import MemberReference  # noqa: PLC0415
        from ..models.tender import Tender  # noqa: PLC0415

        business_date = self.business_date.isoformat()

        currency = self.currency

        lines = []
        for lines_item_data in self.lines:
            lines_item = lines_item_data.to_dict()
            lines.append(lines_item)

        occurred_at = self.occurred_at.isoformat()

        receipt_no = self.receipt_no

        store_id = self.store_id

        terminal_id = self.terminal_id

        total_minor = self.total_minor

        fulfilment: str | Unset = UNSET
        if not isinstance(self.fulfilment, Unset):
            fulfilment = self.fulfilment.value

        hold_ids: list[str] | Unset = UNSET
        if not isinstance(self.hold_ids, Unset):
            hold_ids = []
            for hold_ids_item_data in self.hold_ids:
                hold_ids_item = str(hold_ids_item_data)
                hold_ids.append(hold_ids_item)

        member: dict[str, Any] | None | Unset
        if isinstance(self.member, Unset):
            member = UNSET
        elif isinstance(self.member, MemberReference):
            member = self.member.to_dict()
        else:
            member = self.member

        offer_ids: list[str] | Unset = UNSET
        if not isinstance(self.offer_ids, Unset):
            offer_ids = []
            for offer_ids_item_data in self.offer_ids:
                offer_ids_item = str(offer_ids_item_data)
                offer_ids.append(offer_ids_item)

        quote_id: None | str | Unset
        if isinstance(self.quote_id, Unset):
            quote_id = UNSET
        elif isinstance(self.quote_id, UUID):
            quote_id = str(self.quote_id)
        else:
            quote_id = self.quote_id

        sales_channel: str | Unset = UNSET
        if not isinstance(self.sales_channel, Unset):
            sales_channel = self.sales_channel.value

        tenders: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.tenders, Unset):
            tenders = []
            for tenders_item_data in self.tenders:
                tenders_item = tenders_item_data.to_dict()
                tenders.append(tenders_item)

        terminal_seq: int | None | Unset
        if isinstance(self.terminal_seq, Unset):
            terminal_seq = UNSET
        else:
            terminal_seq = self.terminal_seq

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "business_date": business_date,
                "currency": currency,
                "lines": lines,
                "occurred_at": occurred_at,
                "receipt_no": receipt_no,
                "store_id": store_id,
                "terminal_id": terminal_id,
                "total_minor": total_minor,
            }
        )
        if fulfilment is not UNSET:
            field_dict["fulfilment"] = fulfilment
        if hold_ids is not UNSET:
            field_dict["hold_ids"] = hold_ids
        if member is not UNSET:
            field_dict["member"] = member
        if offer_ids is not UNSET:
            field_dict["offer_ids"] = offer_ids
        if quote_id is not UNSET:
            field_dict["quote_id"] = quote_id
        if sales_channel is not UNSET:
            field_dict["sales_channel"] = sales_channel
        if tenders is not UNSET:
            field_dict["tenders"] = tenders
        if terminal_seq is not UNSET:
            field_dict["terminal_seq"] = terminal_seq

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.line import Line  # noqa: PLC0415
        from ..models.member_reference import MemberReference  # noqa: PLC0415
        from ..models.tender import Tender  # noqa: PLC0415

        d = dict(src_dict)
        business_date = datetime.date.fromisoformat(d.pop("business_date"))

        currency = d.pop("currency")

        lines = []
        _lines = d.pop("lines")
        for lines_item_data in _lines:
            lines_item = Line.from_dict(lines_item_data)

            lines.append(lines_item)

        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))

        receipt_no = d.pop("receipt_no")

        store_id = d.pop("store_id")

        terminal_id = d.pop("terminal_id")

        total_minor = d.pop("total_minor")

        _fulfilment = d.pop("fulfilment", UNSET)
        fulfilment: PurchaseFulfilment | Unset
        if isinstance(_fulfilment, Unset):
            fulfilment = UNSET
        else:
            fulfilment = PurchaseFulfilment(_fulfilment)

        _hold_ids = d.pop("hold_ids", UNSET)
        hold_ids: list[UUID] | Unset = UNSET
        if _hold_ids is not UNSET:
            hold_ids = []
            for hold_ids_item_data in _hold_ids:
                hold_ids_item = UUID(hold_ids_item_data)

                hold_ids.append(hold_ids_item)

        def _parse_member(data: object) -> MemberReference | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                member_type_0 = MemberReference.from_dict(data)

                return member_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(MemberReference | None | Unset, data)

        member = _parse_member(d.pop("member", UNSET))

        _offer_ids = d.pop("offer_ids", UNSET)
        offer_ids: list[UUID] | Unset = UNSET
        if _offer_ids is not UNSET:
            offer_ids = []
            for offer_ids_item_data in _offer_ids:
                offer_ids_item = UUID(offer_ids_item_data)

                offer_ids.append(offer_ids_item)

        def _parse_quote_id(data: object) -> None | Unset | UUID:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                quote_id_type_0 = UUID(data)

                return quote_id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Unset | UUID, data)

        quote_id = _parse_quote_id(d.pop("quote_id", UNSET))

        _sales_channel = d.pop("sales_channel", UNSET)
        sales_channel: PurchaseSalesChannel | Unset
        if isinstance(_sales_channel, Unset):
            sales_channel = UNSET
        else:
            sales_channel = PurchaseSalesChannel(_sales_channel)

        _tenders = d.pop("tenders", UNSET)
        tenders: list[Tender] | Unset = UNSET
        if _tenders is not UNSET:
            tenders = []
            for tenders_item_data in _tenders:
                tenders_item = Tender.from_dict(tenders_item_data)

                tenders.append(tenders_item)

        def _parse_terminal_seq(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        terminal_seq = _parse_terminal_seq(d.pop("terminal_seq", UNSET))

        purchase = cls(
            business_date=business_date,
            currency=currency,
            lines=lines,
            occurred_at=occurred_at,
            receipt_no=receipt_no,
            store_id=store_id,
            terminal_id=terminal_id,
            total_minor=total_minor,
            fulfilment=fulfilment,
            hold_ids=hold_ids,
            member=member,
            offer_ids=offer_ids,
            quote_id=quote_id,
            sales_channel=sales_channel,
            tenders=tenders,
            terminal_seq=terminal_seq,
        )

        return purchase
