from enum import StrEnum


class SubmissionStatusStatus(StrEnum):
    ACCEPTED = "accepted"
    ERASED = "erased"
    FAILED = "failed"
    SETTLED = "settled"

    def __str__(self) -> str:
        return str(self.value)
