from enum import StrEnum


class AcceptedStatus(StrEnum):
    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"

    def __str__(self) -> str:
        return str(self.value)
