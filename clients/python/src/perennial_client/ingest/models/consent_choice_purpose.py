from enum import StrEnum


class ConsentChoicePurpose(StrEnum):
    MARKETING = "marketing"
    PERSONALISATION = "personalisation"
    SERVICE = "service"

    def __str__(self) -> str:
        return str(self.value)
