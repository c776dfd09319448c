from enum import StrEnum


class SweepstakesBodyPeriod(StrEnum):
    DAY = "day"
    MONTH = "month"
    ONCE = "once"
    WEEK = "week"

    def __str__(self) -> str:
        return str(self.value)
