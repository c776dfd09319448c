from enum import StrEnum


class ExceptionItemProblem(StrEnum):
    REFUSED = "refused"
    UNLINKED = "unlinked"
    WITHHELD = "withheld"

    def __str__(self) -> str:
        return str(self.value)
