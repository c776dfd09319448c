from enum import StrEnum


class SweepstakesBodyOneEntryPerItem(StrEnum):
    BIRTH_DATE = "birth_date"
    CARD = "card"
    CHOICE = "choice"
    EMAIL = "email"
    NAME = "name"
    PHONE = "phone"
    TEXT = "text"

    def __str__(self) -> str:
        return str(self.value)
