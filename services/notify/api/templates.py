"""Templates: saved as versions, previewed with sample values."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from services.notify.api.fields import Ctx, TemplateCode, Topic
from services.notify.domain.templates import SOURCE_MAX_CHARS, SUBJECT_MAX_CHARS, Source
from services.notify.handlers import compose
from shared.auth import Caller, require
from shared.db import run_unit
from shared.errors import Refused
from shared.http.models import Request
from shared.http.names import bare

router = APIRouter(prefix="/v1/templates", tags=["templates"])
Author = Annotated[Caller, Depends(require("marketer", "admin"))]

Line = Annotated[str, Field(min_length=1, max_length=SUBJECT_MAX_CHARS, pattern=r"^[^\x00]*$")]
Long = Annotated[str, Field(min_length=1, max_length=SOURCE_MAX_CHARS, pattern=r"^[^\x00]*$")]


class TemplateSource(Request):
    """What an author writes: MJML for the layout, text for those who read text.

    Jinja may show values (``{{ member.first_name }}``), decide (``{% if %}``) and go through a
    list (``{% for offer in offers %}``). ``mjml`` and ``text`` must show
    ``{{ unsubscribe_url }}``.
    """

    subject: Line
    mjml: Long
    text: Long
    inbox_title: Line
    inbox_text: Long

    def source(self) -> Source:
        return Source(**self.model_dump(include=set(Source.__slots__)))


class TemplateBody(TemplateSource):
    """A template and what it is about; the topic decides which consent its messages need."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "topic": "offers",
                    "subject": "{{ offers|length }} offers for you",
                    "mjml": "<mjml><mj-body><mj-section><mj-column><mj-text>Hello "
                    '{{ member.first_name }} <a href="{{ unsubscribe_url }}">Unsubscribe</a>'
                    "</mj-text></mj-column></mj-section></mj-body></mjml>",
                    "text": "Hello {{ member.first_name }}\n{{ unsubscribe_url }}",
                    "inbox_title": "Offers for you",
                    "inbox_text": "{{ offers|length }} new offers",
                }
            ]
        }
    )
    topic: Topic


class PreviewBody(Request):
    """A draft to look at; without one, what is saved."""

    draft: TemplateSource | None = None


class SavedTemplate(BaseModel):
    """A saved version."""

    code: str
    version: int
    topic: Topic


class PreviewShown(BaseModel):
    """What it looks like with sample values."""

    version: int | None
    """None for a draft, 0 for the template that comes with the service."""
    subject: str
    html: str
    text: str
    inbox_title: str
    inbox_text: str


@router.put(f"/{bare('code')}")
async def put_template(
    code: TemplateCode, body: TemplateBody, caller: Author, context: Ctx
) -> SavedTemplate:
    """Save the next version, from which on messages are written; the same again changes nothing."""
    if body.topic == "service" and caller.role != "admin":
        # Service messages pass preferences, so who advertises does not write them.
        raise Refused("template_topic_forbidden", "Only admins write about service.", status=403)
    wanted = compose.Wanted(code, body.topic, body.source(), by=caller.key_id)
    saved = await run_unit(context.db, lambda tx: compose.save(tx, wanted, context))
    return SavedTemplate.model_validate(saved, from_attributes=True)


@router.post("/{code}:preview")
async def preview_template(
    code: TemplateCode, body: PreviewBody, _: Author, context: Ctx
) -> PreviewShown:
    """Render a draft, or what is saved, with sample values; saves nothing."""
    draft = body.draft.source() if body.draft else None
    async with context.db.transaction() as tx:
        shown = await compose.preview(tx, code, draft, context)
    return PreviewShown.model_validate(shown, from_attributes=True)
