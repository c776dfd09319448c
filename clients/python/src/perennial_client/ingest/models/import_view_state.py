from enum import StrEnum


class ImportViewState(StrEnum):
    APPLYING = "applying"
    CANCELLED = "cancelled"
    DONE = "done"
    INCOMPLETE = "incomplete"
    RECEIVING = "receiving"
    WAITING = "waiting"

    def __str__(self) -> str:
        return str(self.value)
