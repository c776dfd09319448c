from enum import StrEnum


class ConsentBodyPurpose(StrEnum):
    MARKETING = "marketing"
    PERSONALISATION = "personalisation"
    SERVICE = "service"

    def __str__(self) -> str:
        return str(self.value)
