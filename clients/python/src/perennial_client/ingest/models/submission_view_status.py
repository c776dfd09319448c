from enum import StrEnum


class SubmissionViewStatus(StrEnum):
    ACCEPTED = "accepted"
    ERASED = "erased"
    FAILED = "failed"
    SETTLED = "settled"

    def __str__(self) -> str:
        return str(self.value)
