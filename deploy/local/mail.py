"""The mail catcher: an SMTP server that keeps each mail as a file and sends nothing on.

``python -m deploy.local.mail PORT FOLDER``
"""

import asyncio
import signal
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.ports import LOOPBACK

SIZE_LIMIT_BYTES = 10 * 1024 * 1024
HOSTNAME = "mail.perennial.test"


class Catcher:
    """Keeps mails in ``folder``, named so that they sort by arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep one mail; aiosmtpd calls this by its name."""
        content = envelope.original_content or b""
        recipients = ", ".join(envelope.rcpt_tos).encode()
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{uuid4().hex[:8]}.eml"
        # Renamed when whole: who lists the folder never reads half a mail.
        fresh = self.folder / f".{name}"
        fresh.write_bytes(b"X-Envelope-To: " + recipients + b"\r\n" + content)
        fresh.rename(self.folder / name)
        return "250 kept"


async def serve(port: int, folder: Path) -> None:
    """Catch mail until SIGTERM."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    session = partial(
        SMTP,
        Catcher(folder),
        data_size_limit=SIZE_LIMIT_BYTES,
        enable_SMTPUTF8=True,
        hostname=HOSTNAME,
    )
    server = await loop.create_server(session, LOOPBACK, port)
    async with server:
        await ended.wait()
        server.close()


if __name__ == "__main__":
    mails = Path(sys.argv[2])
    mails.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(int(sys.argv[1]), mails))
