"""The mail catcher keeps each mail as a file."""

import email
import signal
import smtplib
import sys
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from deploy.local import ports, processes

CHECKOUT = Path(__file__).parents[3]


def test_a_mail_becomes_a_file(tmp_path: Path) -> None:
    port, folder = ports.free_port(), tmp_path / "mail"
    process = processes.spawn(
        [sys.executable, "-W", "error", "-m", "deploy.local.mail", str(port), str(folder)],
        log=tmp_path / "log",
        env={"PYTHONPATH": str(CHECKOUT)},
    )
    message = EmailMessage()
    message["From"], message["To"] = "shop@perennial.test", "mara@perennial.test"
    message["Subject"] = "12 Punkte für Sie"
    message.set_content("Grüße")
    try:
        assert processes.wait_until(lambda: ports.is_open(port), deadline_s=10)
        with smtplib.SMTP(ports.LOOPBACK, port) as smtp:
            smtp.send_message(message)
        (caught,) = folder.glob("*.eml")
        kept = email.message_from_bytes(caught.read_bytes(), policy=default)
        assert kept["Subject"] == "12 Punkte für Sie"
        assert kept["X-Envelope-To"] == "mara@perennial.test"
        assert kept.get_content().strip() == "Grüße"
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert (tmp_path / "log").read_text() == ""
    finally:
        process.kill()
        process.wait()
