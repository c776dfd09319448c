from enum import StrEnum


class InteractionBodyKind(StrEnum):
    APPOINTMENT = "appointment"
    APP_OPENED = "app_opened"
    CALL = "call"
    CHAT = "chat"
    NOTE = "note"
    OTHER = "other"
    REPLY_RECEIVED = "reply_received"
    VISIT = "visit"

    def __str__(self) -> str:
        return str(self.value)
