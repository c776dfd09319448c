from enum import StrEnum


class EventStatusStatus(StrEnum):
    ACCEPTED = "accepted"
    IN_REVIEW = "in_review"
    PROCESSED = "processed"
    PUBLISHED = "published"
    REFUSED = "refused"
    REJECTED = "rejected"
    UNCHANGED = "unchanged"
    UNLINKED = "unlinked"
    WITHHELD = "withheld"

    def __str__(self) -> str:
        return str(self.value)
