"""One e-mail as RFC 5322 wants it, with the way out that RFC 2369 and RFC 8058 want."""

from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from uuid import UUID

# Long tokens have no place to fold, and Python would encode them beyond recognition at 78.
_POLICY = SMTP.clone(max_line_length=998)


class UnusableAddress(ValueError):
    """No mail can be addressed to this."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says, and to whom."""

    message_id: UUID
    to_address: str
    to_name: str | None
    subject: str
    html: str
    text: str
    unsubscribe_url: str | None


def address(addr_spec: str, display_name: str | None = None) -> Address:
    """Return a header address; raises ``UnusableAddress`` for what can not be one."""
    name = " ".join("".join(c if c.isprintable() else " " for c in display_name or "").split())
    try:
        parsed = Address(display_name=name[:100], addr_spec=addr_spec)
    except (HeaderParseError, ValueError, IndexError) as error:
        # The address itself stays out of the message: it would end up in a log.
        raise UnusableAddress("not an address") from error
    if not parsed.domain or not addr_spec.isascii():
        raise UnusableAddress("no domain, or not ASCII")
    return parsed


def reference(message_id: UUID, domain: str) -> str:
    """Return the Message-ID: the same for a message however often it is tried.

    A provider that sees it twice can drop the second, and a person can find our row by it.
    """
    return f"<{message_id}@{domain}>"


def compose(letter: Letter, *, sender: Address, at: datetime) -> EmailMessage:
    """Return the mail: text and HTML, headers of the list, no trackers."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = address(letter.to_address, letter.to_name)
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = reference(letter.message_id, sender.domain)
    # Holiday answers to us help nobody.
    mail["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe_url is not None:
        mail["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(letter.text, cte="quoted-printable")
    mail.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    return mail
