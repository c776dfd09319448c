from enum import StrEnum


class NewCredentialRole(StrEnum):
    ADMIN = "admin"
    APP = "app"
    MARKETER = "marketer"
    STAFF = "staff"
    TERMINAL = "terminal"

    def __str__(self) -> str:
        return str(self.value)
