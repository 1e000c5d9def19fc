"""Tariffs written down by a person: the TOML text of `tessie tariff load` (`docs/tariffs.md`)."""

import re
import tomllib
from collections import Counter
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, ValidationError

from tessie_pipeline.domain.tariffs import (
    EVERY_DAY,
    MIDNIGHT,
    Direction,
    Rate,
    Season,
    Tariff,
    Unit,
    tariff_id_of,
)

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)")
_SEASON = re.compile(r"(\d\d-\d\d) to (\d\d-\d\d)")


class TariffFileError(ValueError):
    """A text that is no tariff file; the message names what is wrong and where."""


def read_hours(text: object) -> tuple[time, time]:
    """Start and end of hours written like 22:00-06:00; midnight may be 24:00.

    Raises:
        ValueError: They are not.
    """
    found = _HOURS.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError("hours are written like 22:00-06:00")
    start_hour, start_minute, end_hour, end_minute = map(int, found.groups())
    if (end_hour, end_minute) == (24, 0):
        end_hour = 0
    return time(start_hour, start_minute), time(end_hour, end_minute)


def _season(text: object) -> Season:
    found = _SEASON.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a season is written like 10-01 to 03-31")
    return Season.between(*found.groups())


def read_weekdays(text: object) -> frozenset[int]:
    """ISO numbers of days written like Mon-Fri or Sat, Sun.

    Raises:
        ValueError: They are not.
    """
    days: set[int] = set()
    for part in text.lower().split(",") if isinstance(text, str) else [""]:
        ends = [day.strip() for day in part.split("-")]
        if len(ends) > 2 or not all(day in _DAYS for day in ends):
            raise ValueError("days are written like Mon-Fri or Sat, Sun")
        first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
        days.update((first + step) % 7 + 1 for step in range((last - first) % 7 + 1))
    return frozenset(days)


def _local_date(day: object) -> date:
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ValueError("a date is written like 2026-01-01, without quotes")
    return day


def _money(amount: object) -> Decimal:
    if not isinstance(amount, int | Decimal) or isinstance(amount, bool):
        raise ValueError("an amount is a number like 0.2989, without quotes")
    return Decimal(amount)


_Day = Annotated[date, BeforeValidator(_local_date)]
_Money = Annotated[Decimal, BeforeValidator(_money)]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Rate(_Written):
    price: _Money
    hours: Annotated[tuple[time, time], BeforeValidator(read_hours)] = (MIDNIGHT, MIDNIGHT)
    days: Annotated[frozenset[int], BeforeValidator(read_weekdays)] = EVERY_DAY
    season: Annotated[Season | None, BeforeValidator(_season)] = None

    def rate(self, direction: Direction, unit: Unit) -> Rate:
        start, end = self.hours
        return Rate(direction, self.price, unit, self.season, self.days, start, end)


class _Tariff(_Written):
    name: StrictStr
    currency: StrictStr
    time_zone: StrictStr
    unit: Literal["kwh", "minute"] = "kwh"
    valid_from: _Day | None = None
    valid_to: _Day | None = None
    session_fee: _Money = Decimal(0)
    buy: Annotated[list[_Rate], Field(min_length=1)]
    sell: list[_Rate] = []


class _File(_Written):
    tariff: Annotated[list[_Tariff], Field(min_length=1)]


def read_tariffs(text: str) -> list[Tariff]:
    """The versions of tariffs that a file holds, in its order; `docs/tariffs.md` says how.

    Raises:
        TariffFileError: The text is not TOML, or what it says is no tariff.
    """
    try:
        file = _File.model_validate(tomllib.loads(text, parse_float=Decimal))
    except tomllib.TOMLDecodeError as error:
        raise TariffFileError(f"the file is not TOML: {error}") from error
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors(include_url=False)]
        raise TariffFileError("; ".join(faults)) from error
    tariffs = [_tariff(written, number) for number, written in enumerate(file.tariff, 1)]
    counts = Counter((tariff.name, tariff.valid_from) for tariff in tariffs)
    for (name, valid_from), count in counts.items():
        if count > 1:
            since = "without valid_from" if valid_from is None else f"valid from {valid_from}"
            raise TariffFileError(f"tariff {name} {since} stands there {count} times")
    return tariffs


def _tariff(written: _Tariff, number: int) -> Tariff:
    try:
        buy = [rate.rate("buy", written.unit) for rate in written.buy]
        sell = [rate.rate("sell", "kwh") for rate in written.sell]
        return Tariff(
            tariff_id=tariff_id_of(written.name, written.valid_from),
            source="file",
            rates=(*buy, *sell),
            name=written.name,
            currency=written.currency,
            time_zone=written.time_zone,
            valid_from=written.valid_from,
            valid_to=written.valid_to,
            session_fee=written.session_fee,
        )
    except ValueError as error:
        raise TariffFileError(f"tariff {number} ({written.name}): {error}") from error


def _fault(error: Any) -> str:
    """Where something is wrong, counting from 1, and what."""
    where = " ".join(
        f"{step + 1}," if isinstance(step, int) else str(step) for step in error["loc"]
    )
    messages = {"missing": "it is missing", "extra_forbidden": "it is not known"}
    message = messages.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{where}: {message}"
