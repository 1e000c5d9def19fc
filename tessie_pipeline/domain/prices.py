"""The price of every moment: which version of a tariff is in force, and what its clock says.

The price of a moment is what the wall clock of the tariff's time zone says, also on days of 23 or
25 hours: an hour that the clock repeats costs the same twice. Not here: what a tariff is.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import polars as pl

from tessie_pipeline.domain.days import dates_between, day_start
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.domain.tariffs import MIDNIGHT, PRICE, Tariff

PRICES = pl.Schema(
    {
        "start": UTC_TIME,
        "end": UTC_TIME,
        "tariff_id": pl.String(),
        "unit": pl.String(),
        "buy_price": PRICE,
        "sell_price": PRICE,
    }
)
"""Half-open stretches of one price. Null: no version holds (`tariff_id`), no price is stated."""

INTERVAL_PRICES = pl.Schema(
    {
        "site_id": pl.String(),
        "timestamp": UTC_TIME,
        "buy_price": pl.Float64(),
        "sell_price": pl.Float64(),
        "currency": pl.String(),
    }
)
"""Prices of a site's five minutes per kWh; null, or no row, where they are not known."""

NO_PRICES = pl.DataFrame(schema=INTERVAL_PRICES)

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)


def version_at(versions: Sequence[Tariff], moment: datetime) -> Tariff | None:
    """The version in force: of those that hold at a moment, the one that began last."""
    holding = [version for version in versions if version.holds_at(moment)]
    return max(holding, key=lambda version: (version.first_day, version.tariff_id), default=None)


def prices_over(versions: Sequence[Tariff], start: datetime, end: datetime) -> pl.DataFrame:
    """The prices of a window [UTC] as `PRICES`, which cover it without gap or overlap.

    Args:
        versions: of one tariff.
        start: first moment.
        end: the moment after the last.
    """
    changes = {change for version in versions for change in _possible_changes(version, start, end)}
    moments = sorted({start} | {change for change in changes if start < change < end})
    by_price = groupby(moments, key=lambda moment: _row(versions, moment))
    stretches = [(next(same), price) for price, same in by_price]
    ends = [*(first for first, _ in stretches[1:]), end]
    rows = [(first, last, *price) for (first, price), last in zip(stretches, ends, strict=True)]
    return pl.DataFrame(rows, PRICES, orient="row")


def interval_prices(times: pl.DataFrame, tariffs: Mapping[str, Sequence[Tariff]]) -> pl.DataFrame:
    """The prices of a kWh at each time, as `INTERVAL_PRICES`; not those of minutes of charging.

    Args:
        times: `site_id` and `timestamp` (UTC) of five minutes.
        tariffs: the versions of each site's tariff; sites without one have no row.
    """
    priced = [NO_PRICES]
    for (site,), own in times.select("site_id", "timestamp").group_by("site_id"):
        versions = [one for one in tariffs.get(str(site), ()) if one.unit == "kwh"]
        if not versions:
            continue
        own = own.sort("timestamp")
        currencies = {one.tariff_id: one.currency for one in versions}
        stretches = prices_over(versions, own["timestamp"][0], own["timestamp"][-1] + _TICK)
        priced.append(
            own.join_asof(stretches, left_on="timestamp", right_on="start")
            .with_columns(
                pl.col("buy_price", "sell_price").cast(pl.Float64),
                currency=pl.col("tariff_id").replace_strict(
                    currencies, default=None, return_dtype=pl.String
                ),
            )
            .select(INTERVAL_PRICES.names())
        )
    return pl.concat(priced)


def version_changes(versions: Sequence[Tariff], start: datetime, end: datetime) -> list[datetime]:
    """The moments within a window at which a version begins or ends, in order."""
    dates = ((v, day) for v in versions for day in (v.valid_from, v.valid_to) if day is not None)
    moments = {day_start(day, ZoneInfo(version.time_zone)) for version, day in dates}
    return sorted(moment for moment in moments if start < moment < end)


def _row(versions: Sequence[Tariff], moment: datetime) -> tuple[object, ...]:
    version = version_at(versions, moment)
    if version is None:
        return (None, None, None, None)
    buy, sell = version.price("buy", moment), version.price("sell", moment)
    return (version.tariff_id, version.unit, buy, sell)


def _possible_changes(version: Tariff, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every moment at which the price may change, and some at which it does not."""
    zone = ZoneInfo(version.time_zone)
    clocks = {MIDNIGHT} | {clock for rate in version.rates for clock in (rate.start, rate.end)}
    first_day = max(version.local(start).date(), version.first_day)
    last_day = min(version.local(end).date(), version.end_day)
    for day in dates_between(first_day, last_day + _DAY):
        first, after = day_start(day, zone), day_start(day + _DAY, zone)
        if first.astimezone(zone).utcoffset() == after.astimezone(zone).utcoffset():
            yield from (datetime.combine(day, clock, zone).astimezone(UTC) for clock in clocks)
        else:
            # Where the clock skips or repeats hours, it may do so within or over any rate.
            minutes = (after - first) // _MINUTE
            yield from (first + number * _MINUTE for number in range(minutes))
