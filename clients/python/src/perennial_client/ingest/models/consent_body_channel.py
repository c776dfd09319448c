from enum import StrEnum


class ConsentBodyChannel(StrEnum):
    EMAIL = "email"
    INBOX = "inbox"
    PUSH = "push"
    SMS = "sms"
    WEBHOOK = "webhook"

    def __str__(self) -> str:
        return str(self.value)
