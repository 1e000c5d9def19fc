"""Tariffs: what a kWh or a minute costs, and when by the wall clock.

A tariff is a name. Its versions hold between local dates; where several do, the one that began
last counts, so that a changed price is a new version from its date and nothing else. Not here: the
price of a moment (`prices`), tariffs as rows (`tariff_frames`) and in files (`tariff_files`).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

import polars as pl

Direction = Literal["buy", "sell"]
Unit = Literal["kwh", "minute"]
Source = Literal["file", "tesla", "hand"]

PRICE_DIGITS = 6
PRICE = pl.Decimal(18, PRICE_DIGITS)
"""Prices and fees: exact, to a millionth of the currency's unit."""

EVERY_DAY = frozenset(range(1, 8))
MIDNIGHT = time()
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Season:
    """The days of the year from `first` to `last` as (month, day), both included.

    It may span New Year. One that ends on 28 February lasts to the end of that month.
    """

    first: tuple[int, int]
    last: tuple[int, int]

    def __post_init__(self) -> None:
        for month, day in (self.first, self.last):
            try:
                date(2000, month, day)  # a leap year, so that 29 February is a day
            except ValueError as error:
                raise ValueError(f"{month:02}-{day:02} is no day of the year") from error

    @classmethod
    def between(cls, first: str, last: str) -> "Season":
        """A season from its first and last day, each written MM-DD.

        Raises:
            ValueError: One of them is no day.
        """
        try:
            days = [(int(text[:-3]), int(text[-2:])) for text in (first, last)]
        except ValueError as error:
            raise ValueError(f"{first} to {last} is no season such as 10-01 to 03-31") from error
        return cls(*days)

    def __contains__(self, day: date) -> bool:
        last = (2, 29) if self.last == (2, 28) else self.last
        at = (day.month, day.day)
        if self.first <= last:
            return self.first <= at <= last
        return at >= self.first or at <= last


@dataclass(frozen=True)
class Rate:
    """A price and when it holds, by the wall clock.

    Attributes:
        direction: "buy" for what is charged, "sell" for what export earns.
        price: Per unit, in the tariff's currency; may be negative.
        unit: What is counted: kWh or minutes of charging.
        season: The days of the year on which it holds, None for all.
        weekdays: ISO numbers, Monday 1 to Sunday 7, of the days on which its hours begin.
        start: When its hours begin, to the minute.
        end: When they end; at or before `start` it is on the next day.
    """

    direction: Direction
    price: Decimal
    unit: Unit = "kwh"
    season: Season | None = None
    weekdays: frozenset[int] = EVERY_DAY
    start: time = MIDNIGHT
    end: time = MIDNIGHT

    def __post_init__(self) -> None:
        _check_money("price", self.price)
        if not self.weekdays or not self.weekdays <= EVERY_DAY:
            raise ValueError("weekdays are numbers from 1 (Monday) to 7, at least one of them")
        if any(clock.second or clock.microsecond for clock in (self.start, self.end)):
            raise ValueError("a rate begins and ends at a full minute")
        if self.direction == "sell" and self.unit != "kwh":
            raise ValueError("export earns by the kWh")

    def holds_at(self, local: datetime) -> bool:
        """Whether it holds at a time of the wall clock."""
        if self.season is not None and local.date() not in self.season:
            return False
        clock, today = local.time(), local.isoweekday() in self.weekdays
        if self.start < self.end:
            return today and self.start <= clock < self.end
        yesterday = (local.date() - _DAY).isoweekday() in self.weekdays
        return (today and clock >= self.start) or (yesterday and clock < self.end)


@dataclass(frozen=True)
class Tariff:
    """One version of a tariff.

    Attributes:
        tariff_id: Identity of this version, 32 hexadecimal digits; see `tariff_id_of`.
        name: What all versions of the tariff share.
        currency: ISO 4217.
        time_zone: IANA name of the clock by which dates and hours are meant.
        rates: Tried in order; the first that holds counts. Those to buy have one unit.
        valid_from: First local day, None for always.
        valid_to: The local day after the last, None for open.
        session_fee: What a session costs besides.
        source: Where it came from.
        site_id: The energy site whose tariff it is, if any.
    """

    tariff_id: str
    name: str
    currency: str
    time_zone: str
    rates: tuple[Rate, ...]
    valid_from: date | None = None
    valid_to: date | None = None
    session_fee: Decimal = Decimal(0)
    source: Source = "hand"
    site_id: str | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a tariff needs a name")
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            raise ValueError(f"{self.currency!r} is no currency code such as EUR")
        try:
            ZoneInfo(self.time_zone)
        except (LookupError, ValueError, OSError) as error:
            raise ValueError(f"{self.time_zone!r} is no time zone such as Europe/Berlin") from error
        _check_money("session fee", self.session_fee)
        if len({rate.unit for rate in self.rates if rate.direction == "buy"}) != 1:
            raise ValueError("a tariff needs prices to buy, all per kWh or all per minute")
        if self.first_day >= self.end_day:
            raise ValueError("a tariff ends after it began")

    @property
    def unit(self) -> Unit:
        """What is bought: kWh or minutes of charging."""
        return next(rate.unit for rate in self.rates if rate.direction == "buy")

    @property
    def sells(self) -> bool:
        """Whether export earns anything."""
        return any(rate.direction == "sell" for rate in self.rates)

    @property
    def first_day(self) -> date:
        """The first local day on which this version is valid."""
        return self.valid_from or date.min

    @property
    def end_day(self) -> date:
        """The local day after the last."""
        return self.valid_to or date.max

    def holds_at(self, moment: datetime) -> bool:
        """Whether this version is valid on the local day of a moment."""
        return self.first_day <= self.local(moment).date() < self.end_day

    def local(self, moment: datetime) -> datetime:
        """The wall clock of the tariff at a moment."""
        return moment.astimezone(ZoneInfo(self.time_zone))

    def price(self, direction: Direction, moment: datetime) -> Decimal | None:
        """The price of a moment, None where none is stated; 0 to sell if export never earns."""
        if direction == "sell" and not self.sells:
            return Decimal(0)
        local = self.local(moment)
        holding = (r for r in self.rates if r.direction == direction and r.holds_at(local))
        return next((rate.price for rate in holding), None)

    def has_prices_of(self, other: "Tariff") -> bool:
        """Whether a session costs the same under both, whatever their names and dates."""
        return self._prices() == other._prices()

    @property
    def signature(self) -> str:
        """A hash of everything that a line of costs takes from this version, but for its dates."""
        text = "\n".join((self.tariff_id, self.name, *map(str, self._prices())))
        return hashlib.sha256(text.encode()).hexdigest()

    def _prices(self) -> tuple[object, ...]:
        rates = [
            (
                rate.direction, f"{rate.price:.{PRICE_DIGITS}f}", rate.unit,
                rate.season and (rate.season.first, rate.season.last), sorted(rate.weekdays),
                rate.start.isoformat(), rate.end.isoformat(),
            )
            for rate in self.rates
        ]  # fmt: skip
        return (self.currency, self.time_zone, f"{self.session_fee:.{PRICE_DIGITS}f}", rates)


def tariff_id_of(name: str, valid_from: date | None) -> str:
    """The identity of a version that is read in, the same each time it is."""
    return uuid5(NAMESPACE_OID, f"tariff {name} from {valid_from}").hex


def by_name(tariffs: Iterable[Tariff]) -> dict[str, list[Tariff]]:
    """The versions of each tariff."""
    versions: dict[str, list[Tariff]] = {}
    for tariff in tariffs:
        versions.setdefault(tariff.name, []).append(tariff)
    return versions


def _check_money(what: str, amount: Decimal) -> None:
    if not amount.is_finite() or abs(amount) >= 1_000_000:
        raise ValueError(f"the {what} is {amount}, which is no price")
    if amount != round(amount, PRICE_DIGITS):
        raise ValueError(f"the {what} has more than {PRICE_DIGITS} digits after the point")
