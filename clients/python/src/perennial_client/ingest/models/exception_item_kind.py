from enum import StrEnum


class ExceptionItemKind(StrEnum):
    AMENDMENT = "amendment"
    CLAIM = "claim"
    RETURN = "return"
    VOID = "void"

    def __str__(self) -> str:
        return str(self.value)
