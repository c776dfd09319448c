"""A real SMTP server that keeps what it gets, and misbehaves when told to."""

import asyncio
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class PostOffice:
    """Listens on a free port of the loopback; ``mails`` is what it took."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    sessions: int = 0
    rcpt_answer: str = "250 OK"
    data_answer: str = "250 taken"
    vanish_after_data: bool = False
    """Take the mail, then hang up without an answer."""
    before_data: asyncio.Event | None = None
    """Wait for this before a mail is taken."""
    at_data: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; the same port again after ``close``."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _session(self) -> SMTP:
        self.sessions += 1
        return SMTP(self, hostname="post.test", command_call_limit=None)

    async def handle_RCPT(  # noqa: N802  aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer to a recipient."""
        if self.rcpt_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt_answer

    async def handle_DATA(  # noqa: N802  aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail."""
        self.at_data.set()
        if self.before_data is not None:
            await self.before_data.wait()
        if self.data_answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content, policy=default))
        if self.vanish_after_data:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return self.data_answer

    def subjects(self) -> list[str]:
        """Return the subjects of the mails taken."""
        return [mail["Subject"] for mail in self.mails]
