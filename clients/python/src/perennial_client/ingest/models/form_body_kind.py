from enum import StrEnum


class FormBodyKind(StrEnum):
    CONTACT = "contact"
    SIGN_UP = "sign_up"
    SWEEPSTAKES = "sweepstakes"

    def __str__(self) -> str:
        return str(self.value)
