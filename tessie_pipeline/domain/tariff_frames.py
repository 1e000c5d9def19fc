"""Tariffs as rows: the frames of the tables `tariffs` and `tariff_rates`, and back.

Seasons are two dates "MM-DD", weekdays the digits of their ISO numbers ("12345" is Monday to
Friday), so that a person can write them by SQL.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl

from tessie_pipeline.domain.tariffs import PRICE, Rate, Season, Tariff

TARIFFS = pl.Schema(
    {
        "tariff_id": pl.String(),
        "name": pl.String(),
        "currency": pl.String(),
        "time_zone": pl.String(),
        "site_id": pl.String(),
        "source": pl.String(),
        "valid_from": pl.Date(),
        "valid_to": pl.Date(),
        "session_fee": PRICE,
    }
)
"""One row per version of a tariff; dates are local to `time_zone`, `valid_to` is not included."""

TARIFF_RATES = pl.Schema(
    {
        "tariff_id": pl.String(),
        "position": pl.Int16(),
        "direction": pl.String(),
        "unit": pl.String(),
        "price": PRICE,
        "season_first": pl.String(),
        "season_last": pl.String(),
        "weekdays": pl.String(),
        "start_time": pl.Time(),
        "end_time": pl.Time(),
    }
)
"""One row per rate. Of those of one direction, that with the lowest `position` that holds counts.

A season is null for the whole year; hours end on the next day if not after their start.
"""


def tariff_frames(tariffs: Iterable[Tariff]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tariffs as `TARIFFS` and `TARIFF_RATES`."""
    versions = list(tariffs)
    rows = [{name: getattr(version, name) for name in TARIFFS} for version in versions]
    rates = [
        _rate_row(version.tariff_id, position, rate)
        for version in versions
        for position, rate in enumerate(version.rates)
    ]
    return pl.DataFrame(rows, TARIFFS, orient="row"), pl.DataFrame(rates, TARIFF_RATES)


def tariffs_of(tariffs: pl.DataFrame, rates: pl.DataFrame) -> list[Tariff]:
    """The tariffs of the rows `TARIFFS` and `TARIFF_RATES`.

    Raises:
        ValueError: A row, perhaps written by hand, is not a tariff; the message names it.
    """
    rates_of: dict[str, list[dict[str, Any]]] = {}
    for row in rates.sort("tariff_id", "position").iter_rows(named=True):
        rates_of.setdefault(row["tariff_id"], []).append(row)
    found = []
    for row in tariffs.sort("name", "valid_from", nulls_last=False).iter_rows(named=True):
        try:
            own = tuple(_rate(rate) for rate in rates_of.get(row["tariff_id"], []))
            found.append(Tariff(**{name: row[name] for name in TARIFFS}, rates=own))
        except ValueError as error:
            raise ValueError(f"tariff {row['name']} ({row['tariff_id']}): {error}") from error
    return found


def _rate_row(tariff_id: str, position: int, rate: Rate) -> dict[str, Any]:
    season = rate.season
    return {
        "tariff_id": tariff_id,
        "position": position,
        "direction": rate.direction,
        "unit": rate.unit,
        "price": rate.price,
        "season_first": season and "{:02}-{:02}".format(*season.first),
        "season_last": season and "{:02}-{:02}".format(*season.last),
        "weekdays": "".join(map(str, sorted(rate.weekdays))),
        "start_time": rate.start,
        "end_time": rate.end,
    }


def _rate(row: dict[str, Any]) -> Rate:
    first, last = row["season_first"], row["season_last"]
    return Rate(
        direction=row["direction"],
        price=row["price"],
        unit=row["unit"],
        season=None if first is None and last is None else Season.between(str(first), str(last)),
        weekdays=frozenset(map(int, row["weekdays"])),
        start=row["start_time"],
        end=row["end_time"],
    )
