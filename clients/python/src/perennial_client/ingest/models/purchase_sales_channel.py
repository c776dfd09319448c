from enum import StrEnum


class PurchaseSalesChannel(StrEnum):
    APP = "app"
    PHONE = "phone"
    POS = "pos"
    WEB = "web"

    def __str__(self) -> str:
        return str(self.value)
