from enum import StrEnum


class InteractionResultOutcome(StrEnum):
    ACCEPTED = "accepted"
    CONFLICT = "conflict"
    REPLAYED = "replayed"

    def __str__(self) -> str:
        return str(self.value)
