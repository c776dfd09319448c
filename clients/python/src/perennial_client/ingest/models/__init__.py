"""Contains all the data models used in inputs/outputs"""

from .accepted import Accepted
from .accepted_status import AcceptedStatus
from .amendment import Amendment
from .batch_result import BatchResult
from .claim import Claim
from .credential import Credential
from .credential_body import CredentialBody
from .credential_body_role import CredentialBodyRole
from .credential_role import CredentialRole
from .dead_letter import DeadLetter
from .event_status import EventStatus
from .event_status_services import EventStatusServices
from .event_status_services_additional_property import (
    EventStatusServicesAdditionalProperty,
)
from .event_status_status import EventStatusStatus
from .exception_item import ExceptionItem
from .exception_item_kind import ExceptionItemKind
from .exception_item_problem import ExceptionItemProblem
from .gap import Gap
from .line import Line
from .list_reviews_state import ListReviewsState
from .member_reference import MemberReference
from .new_credential import NewCredential
from .new_credential_role import NewCredentialRole
from .note import Note
from .number import Number
from .page_credential import PageCredential
from .page_dead_letter import PageDeadLetter
from .page_exception_item import PageExceptionItem
from .page_gap import PageGap
from .page_review import PageReview
from .problem import Problem
from .problem_errors_item import ProblemErrorsItem
from .product_body import ProductBody
from .purchase import Purchase
from .purchase_fulfilment import PurchaseFulfilment
from .purchase_sales_channel import PurchaseSalesChannel
from .receipt_number import ReceiptNumber
from .registered import Registered
from .replayed import Replayed
from .return_ import Return
from .returned_line import ReturnedLine
from .review import Review
from .review_state import ReviewState
from .row_result import RowResult
from .row_result_outcome import RowResultOutcome
from .row_result_problem_type_0 import RowResultProblemType0
from .store_body import StoreBody
from .tender import Tender
from .void import Void

__all__ = (
    "Accepted",
    "AcceptedStatus",
    "Amendment",
    "BatchResult",
    "Claim",
    "Credential",
    "CredentialBody",
    "CredentialBodyRole",
    "CredentialRole",
    "DeadLetter",
    "EventStatus",
    "EventStatusServices",
    "EventStatusServicesAdditionalProperty",
    "EventStatusStatus",
    "ExceptionItem",
    "ExceptionItemKind",
    "ExceptionItemProblem",
    "Gap",
    "Line",
    "ListReviewsState",
    "MemberReference",
    "NewCredential",
    "NewCredentialRole",
    "Note",
    "Number",
    "PageCredential",
    "PageDeadLetter",
    "PageExceptionItem",
    "PageGap",
    "PageReview",
    "Problem",
    "ProblemErrorsItem",
    "ProductBody",
    "Purchase",
    "PurchaseFulfilment",
    "PurchaseSalesChannel",
    "ReceiptNumber",
    "Registered",
    "Replayed",
    "Return",
    "ReturnedLine",
    "Review",
    "ReviewState",
    "RowResult",
    "RowResultOutcome",
    "RowResultProblemType0",
    "StoreBody",
    "Tender",
    "Void",
)
