from enum import StrEnum


class ConsentChoiceChannel(StrEnum):
    EMAIL = "email"
    INBOX = "inbox"
    PUSH = "push"
    SMS = "sms"
    WEBHOOK = "webhook"

    def __str__(self) -> str:
        return str(self.value)
