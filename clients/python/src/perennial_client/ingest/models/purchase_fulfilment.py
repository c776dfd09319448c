from enum import StrEnum


class PurchaseFulfilment(StrEnum):
    COMPLETE = "complete"
    PENDING = "pending"

    def __str__(self) -> str:
        return str(self.value)
