"""Ages as people give them: a number of days, months or years, or never.

Months and years are those of the calendar: a month before the 31st of March, February ends.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, Self

Unit = Literal["day", "month", "year"]

_TEXT = re.compile(r"(\d{1,4}) (day|month|year)s?")
NEVER = "never"


@dataclass(frozen=True)
class Age:
    """So many days, months or years."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        """As Postgres and people write it."""
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The age that a text says; None for never.

        Raises:
            ValueError: it says none.
        """
        if text.strip().lower() == NEVER:
            return None
        found = _TEXT.fullmatch(" ".join(text.lower().split()))
        if found is None or not int(found[1]):
            raise ValueError("should be an age such as 30 days, 1 month, 2 years or never")
        unit: Unit = "day" if found[2] == "day" else "month" if found[2] == "month" else "year"
        return cls(int(found[1]), unit)

    def before(self, day: date) -> date:
        """The day that is this old on `day`; of a month that has no such day its last one."""
        if self.unit == "day":
            return day - timedelta(days=self.count)
        months = day.year * 12 + day.month - 1 - self.count * (12 if self.unit == "year" else 1)
        year, month = months // 12, months % 12 + 1
        return date(year, month, min(day.day, monthrange(year, month)[1]))
