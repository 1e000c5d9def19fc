"""Decoding of a site's tariff, `tariff_content_v2` of `site_info` (`fleet_api.md` section 4.2).

Seasons hold time-of-use periods by name, and prices stand by season and name beside them, where
`ALL` is any of either. Tesla leaves out zeros, and the days of a period that is for all of them.
Not here: the rest of `site_info` (`energy_answers`).
"""

from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from tessie_pipeline.domain.tariffs import (
    PRICE_DIGITS,
    Direction,
    Rate,
    Season,
    Tariff,
    tariff_id_of,
)
from tessie_pipeline.tesla.answers import (
    Answer,
    Number,
    SmallCount,
    Text,
    UndecodableAnswer,
    kept_text,
    read,
    unwrapped,
)

ANY = "ALL"
"""The name under which a price stands for every season or every period that has none of its own."""

_Weekday = Annotated[SmallCount, Field(le=6)]
_Hour = Annotated[SmallCount, Field(le=24)]
_Minute = Annotated[SmallCount, Field(le=60)]


class _Period(Answer):
    """Hours of each weekday from Monday, 0, to Sunday, 6; an hour of 24 is the next midnight."""

    fromDayOfWeek: _Weekday = 0
    toDayOfWeek: _Weekday = 6
    fromHour: _Hour = 0
    fromMinute: _Minute = 0
    toHour: _Hour = 0
    toMinute: _Minute = 0


class _Periods(Answer):
    periods: tuple[_Period, ...] = ()


class _Season(Answer):
    fromMonth: SmallCount = 0
    fromDay: SmallCount = 0
    toMonth: SmallCount = 0
    toDay: SmallCount = 0
    tou_periods: Mapping[str, _Periods] = {}


class _Charges(Answer):
    rates: Mapping[str, Number] = {}


class _Prices(Answer):
    seasons: Mapping[str, _Season] = {}
    energy_charges: Mapping[str, _Charges] = {}

    @property
    def used(self) -> Mapping[str, _Season]:
        """The seasons that have hours; Tesla lists others without."""
        return {name: season for name, season in self.seasons.items() if season.tou_periods}


def _none_if_empty(content: object) -> object:
    return content or None


class _Content(_Prices):
    currency: Text
    sell_tariff: _Prices = _Prices()


class _SiteInfo(Answer):
    tariff_content_v2: Annotated[_Content | None, BeforeValidator(_none_if_empty)] = None


def decode_site_tariff(
    body: object, *, name: str, time_zone: str, valid_from: date | None, site_id: str
) -> Tariff | None:
    """The tariff in a `site_info` answer; None where the owner has set none.

    Tesla does not say since when it holds, nor in which time zone. Its daily and demand charges do
    not belong to any one session and are left out.

    Args:
        body: the answer.
        name: under which a site's tariffs follow each other, also when the owner changes plans.
        time_zone: IANA name, the site's.
        valid_from: the local day since which it is known to hold.
        site_id: the site.

    Raises:
        UndecodableAnswer: A field is not what it should be, or a period has no price.
    """
    content = read(_SiteInfo, kept_text(unwrapped(body))).tariff_content_v2
    if content is None:
        return None
    sold = content.sell_tariff
    sold_in = sold.used or content.used
    try:
        return Tariff(
            tariff_id=tariff_id_of(name, valid_from),
            name=name,
            currency=content.currency,
            time_zone=time_zone,
            rates=(*_rates("buy", content, content.used), *_rates("sell", sold, sold_in)),
            valid_from=valid_from,
            source="tesla",
            site_id=site_id,
        )
    except UndecodableAnswer:
        raise
    except ValueError as error:
        raise UndecodableAnswer(f"tariff_content_v2: {error}") from error


def _rates(direction: Direction, prices: _Prices, seasons: Mapping[str, _Season]) -> Iterator[Rate]:
    flat = _price(prices, ANY, ANY)
    if not seasons and flat is not None:
        yield Rate(direction, flat)
    for season_name, season in seasons.items() if prices.energy_charges else ():
        days = Season((season.fromMonth, season.fromDay), (season.toMonth, season.toDay))
        for period_name, hours in season.tou_periods.items():
            price = _price(prices, season_name, period_name)
            if price is None:
                raise UndecodableAnswer(
                    f"tariff_content_v2 has no price to {direction} for {season_name} {period_name}"
                )
            for period in hours.periods:
                yield _rate(direction, price, days, period)


def _price(prices: _Prices, season: str, period: str) -> Decimal | None:
    """The price of a period of a season, else that which stands for any of them."""
    for charges in (prices.energy_charges.get(season), prices.energy_charges.get(ANY)):
        for name in (period, ANY):
            if charges is not None and name in charges.rates:
                return round(Decimal(str(charges.rates[name])), PRICE_DIGITS)
    return None


def _rate(direction: Direction, price: Decimal, season: Season, period: _Period) -> Rate:
    days = (period.toDayOfWeek - period.fromDayOfWeek) % 7 + 1
    return Rate(
        direction,
        price,
        season=season,
        weekdays=frozenset((period.fromDayOfWeek + day) % 7 + 1 for day in range(days)),
        start=_clock(period.fromHour, period.fromMinute),
        end=_clock(period.toHour, period.toMinute),
    )


def _clock(hour: int, minute: int) -> time:
    hours, minutes = divmod(hour * 60 + minute, 60)
    return time(hours % 24, minutes)
