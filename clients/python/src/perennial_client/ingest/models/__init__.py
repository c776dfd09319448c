"""Contains all the data models used in inputs/outputs"""

from .accepted import Accepted
from .accepted_status import AcceptedStatus
from .amendment import Amendment
from .audit_entry import AuditEntry
from .audit_entry_action import AuditEntryAction
from .batch_result import BatchResult
from .claim import Claim
from .consent_body import ConsentBody
from .consent_body_channel import ConsentBodyChannel
from .consent_body_purpose import ConsentBodyPurpose
from .consent_body_wording import ConsentBodyWording
from .consent_choice import ConsentChoice
from .consent_choice_channel import ConsentChoiceChannel
from .consent_choice_purpose import ConsentChoicePurpose
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
from .field_body import FieldBody
from .field_body_hint import FieldBodyHint
from .field_body_kind import FieldBodyKind
from .field_body_label import FieldBodyLabel
from .form_body import FormBody
from .form_body_kind import FormBodyKind
from .form_body_texts import FormBodyTexts
from .form_version import FormVersion
from .gap import Gap
from .import_view import ImportView
from .import_view_state import ImportViewState
from .interaction_body import InteractionBody
from .interaction_body_kind import InteractionBodyKind
from .interaction_body_properties import InteractionBodyProperties
from .interaction_result import InteractionResult
from .interaction_result_outcome import InteractionResultOutcome
from .interactions_body import InteractionsBody
from .line import Line
from .list_import_problems_format import ListImportProblemsFormat
from .list_reviews_state import ListReviewsState
from .member_reference import MemberReference
from .new_credential import NewCredential
from .new_credential_role import NewCredentialRole
from .note import Note
from .number import Number
from .option import Option
from .option_label import OptionLabel
from .page_audit_entry import PageAuditEntry
from .page_credential import PageCredential
from .page_dead_letter import PageDeadLetter
from .page_exception_item import PageExceptionItem
from .page_form_version import PageFormVersion
from .page_gap import PageGap
from .page_problem_view import PageProblemView
from .page_review import PageReview
from .page_submission_view import PageSubmissionView
from .problem import Problem
from .problem_errors_item import ProblemErrorsItem
from .problem_view import ProblemView
from .product_body import ProductBody
from .published_form import PublishedForm
from .purchase import Purchase
from .purchase_fulfilment import PurchaseFulfilment
from .purchase_sales_channel import PurchaseSalesChannel
from .receipt_number import ReceiptNumber
from .recorded import Recorded
from .registered import Registered
from .replayed import Replayed
from .return_ import Return
from .returned_line import ReturnedLine
from .review import Review
from .review_state import ReviewState
from .row_result import RowResult
from .row_result_outcome import RowResultOutcome
from .row_result_problem_type_0 import RowResultProblemType0
from .source_body import SourceBody
from .store_body import StoreBody
from .submission_body import SubmissionBody
from .submission_body_answers import SubmissionBodyAnswers
from .submission_status import SubmissionStatus
from .submission_status_status import SubmissionStatusStatus
from .submission_view import SubmissionView
from .submission_view_answers_type_0 import SubmissionViewAnswersType0
from .submission_view_source_type_0 import SubmissionViewSourceType0
from .submission_view_status import SubmissionViewStatus
from .sweepstakes_body import SweepstakesBody
from .sweepstakes_body_one_entry_per_item import SweepstakesBodyOneEntryPerItem
from .sweepstakes_body_period import SweepstakesBodyPeriod
from .taken_body import TakenBody
from .tender import Tender
from .texts import Texts
from .void import Void

__all__ = (
    "Accepted",
    "AcceptedStatus",
    "Amendment",
    "AuditEntry",
    "AuditEntryAction",
    "BatchResult",
    "Claim",
    "ConsentBody",
    "ConsentBodyChannel",
    "ConsentBodyPurpose",
    "ConsentBodyWording",
    "ConsentChoice",
    "ConsentChoiceChannel",
    "ConsentChoicePurpose",
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
    "FieldBody",
    "FieldBodyHint",
    "FieldBodyKind",
    "FieldBodyLabel",
    "FormBody",
    "FormBodyKind",
    "FormBodyTexts",
    "FormVersion",
    "Gap",
    "ImportView",
    "ImportViewState",
    "InteractionBody",
    "InteractionBodyKind",
    "InteractionBodyProperties",
    "InteractionResult",
    "InteractionResultOutcome",
    "InteractionsBody",
    "Line",
    "ListImportProblemsFormat",
    "ListReviewsState",
    "MemberReference",
    "NewCredential",
    "NewCredentialRole",
    "Note",
    "Number",
    "Option",
    "OptionLabel",
    "PageAuditEntry",
    "PageCredential",
    "PageDeadLetter",
    "PageExceptionItem",
    "PageFormVersion",
    "PageGap",
    "PageProblemView",
    "PageReview",
    "PageSubmissionView",
    "Problem",
    "ProblemErrorsItem",
    "ProblemView",
    "ProductBody",
    "PublishedForm",
    "Purchase",
    "PurchaseFulfilment",
    "PurchaseSalesChannel",
    "ReceiptNumber",
    "Recorded",
    "Registered",
    "Replayed",
    "Return",
    "ReturnedLine",
    "Review",
    "ReviewState",
    "RowResult",
    "RowResultOutcome",
    "RowResultProblemType0",
    "SourceBody",
    "StoreBody",
    "SubmissionBody",
    "SubmissionBodyAnswers",
    "SubmissionStatus",
    "SubmissionStatusStatus",
    "SubmissionView",
    "SubmissionViewAnswersType0",
    "SubmissionViewSourceType0",
    "SubmissionViewStatus",
    "SweepstakesBody",
    "SweepstakesBodyOneEntryPerItem",
    "SweepstakesBodyPeriod",
    "TakenBody",
    "Tender",
    "Texts",
    "Void",
)
