"""Ways out: SMTP, and its harmless twin that only logs.

A channel is opened once for many mails. It never raises for what the other side says: each send
ends in a ``Result``. ``ChannelAway`` means that nobody answered, so nothing was said at all.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal, Protocol

import aiosmtplib

from services.notify.domain.delivery import Result
from shared import log

logger = log.get_logger(__name__)

QUIT_TIMEOUT_S = 2.0


class ChannelAway(Exception):
    """The other side does not answer; nothing was sent."""


class Session(Protocol):
    """An open channel."""

    async def send(self, mail: EmailMessage) -> Result:
        """Hand over one mail; raises ``ChannelAway`` only where it surely was not taken."""
        ...


class Mailer(Protocol):
    """Opens sessions."""

    def open(self) -> AbstractAsyncContextManager[Session]:
        """Connect; raises ``ChannelAway``."""
        ...


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in. ``deadline_s`` bounds connecting, and each mail as a whole."""

    host: str
    port: int
    deadline_s: float
    security: Literal["none", "starttls", "tls"] = "none"
    username: str | None = None
    password: str | None = None


class SmtpSession:
    """One connection; used for one mail at a time."""

    def __init__(self, client: aiosmtplib.SMTP, deadline_s: float) -> None:
        """Use ``client``, which is connected."""
        self._client = client
        self._deadline_s = deadline_s

    async def send(self, mail: EmailMessage) -> Result:
        """Send by MAIL, RCPT and DATA, since what a failure means depends on where it happens."""
        sender, recipient = (mail[name].addresses[0].addr_spec for name in ("From", "To"))
        handed_over = False
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._client.mail(sender)
                await self._client.rcpt(recipient)
                handed_over = True
                answer = await self._client.data(mail.as_bytes())
        except aiosmtplib.SMTPResponseException as error:
            return await self._answered(error)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            self._client.close()
            if handed_over:
                # The last dot may have arrived and only its answer been lost.
                return Result("uncertain", f"no answer to the mail: {type(error).__name__}")
            raise ChannelAway(type(error).__name__) from error
        return Result("accepted", f"{answer.code} accepted")

    async def _answered(self, error: aiosmtplib.SMTPResponseException) -> Result:
        # The server's text may quote the address, so only its code is kept.
        detail = f"{error.code} after {_STEPS.get(type(error), 'a command')}"
        if error.code == _CLOSING:
            self._client.close()
            raise ChannelAway(detail) from error
        await self._reset()
        if error.code < _PERMANENT:
            return Result("delayed", detail)
        if isinstance(error, aiosmtplib.SMTPRecipientRefused):
            return Result("address_refused", detail)
        return Result("refused", detail)

    async def _reset(self) -> None:
        try:
            async with asyncio.timeout(QUIT_TIMEOUT_S):
                await self._client.rset()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            # The next mail finds the connection closed and says so.
            self._client.close()


_PERMANENT = 500
_CLOSING = 421
_STEPS: dict[type[Exception], str] = {
    aiosmtplib.SMTPSenderRefused: "MAIL",
    aiosmtplib.SMTPRecipientRefused: "RCPT",
    aiosmtplib.SMTPDataError: "DATA",
}


class SmtpMailer:
    """Connects to one SMTP server."""

    def __init__(self, server: SmtpServer) -> None:
        """Connect to ``server`` when a session is opened."""
        self._server = server

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Session]:
        """Connect, encrypt and log in as the settings say; close at the end."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=server.deadline_s,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            username=server.username,
            password=server.password,
        )
        try:
            async with asyncio.timeout(server.deadline_s):
                await client.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise ChannelAway(type(error).__name__) from error
        try:
            yield SmtpSession(client, server.deadline_s)
        finally:
            await _close(client)


async def _close(client: aiosmtplib.SMTP) -> None:
    try:
        async with asyncio.timeout(QUIT_TIMEOUT_S):
            if client.is_connected:
                await client.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        # Only politeness failed.
        pass
    finally:
        client.close()


class LogMailer:
    """Sends nothing and says so in the log; used where no SMTP server is set."""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Session]:
        """Give itself."""
        yield self

    async def send(self, mail: EmailMessage) -> Result:
        """Log that a mail would have left."""
        logger.info("mail_not_sent_no_smtp_server", message_id=str(mail["Message-ID"]))
        return Result("accepted", "no SMTP server is set: logged only")
