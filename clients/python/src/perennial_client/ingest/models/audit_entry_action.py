from enum import StrEnum


class AuditEntryAction(StrEnum):
    GIVEN = "given"
    MADE = "made"
    REFUSED = "refused"
    REVOKED = "revoked"

    def __str__(self) -> str:
        return str(self.value)
