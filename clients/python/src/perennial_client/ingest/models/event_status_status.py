from enum import StrEnum


class EventStatusStatus(StrEnum):
    ACCEPTED = "accepted"
    PROCESSED = "processed"
    PUBLISHED = "published"
    REFUSED = "refused"
    UNCHANGED = "unchanged"
    UNLINKED = "unlinked"
    WITHHELD = "withheld"

    def __str__(self) -> str:
        return str(self.value)
