from enum import StrEnum


class EventStatusServicesAdditionalProperty(StrEnum):
    PROCESSED = "processed"
    UNKNOWN = "unknown"
    WAITING = "waiting"

    def __str__(self) -> str:
        return str(self.value)
