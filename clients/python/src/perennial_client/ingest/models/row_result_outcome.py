from enum import StrEnum


class RowResultOutcome(StrEnum):
    ACCEPTED = "accepted"
    CONFLICT = "conflict"
    INVALID = "invalid"
    REPLAYED = "replayed"

    def __str__(self) -> str:
        return str(self.value)
