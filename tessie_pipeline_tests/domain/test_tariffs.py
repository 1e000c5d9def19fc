from dataclasses import replace
from datetime import date, time
from decimal import Decimal

import polars as pl
import pytest

from tessie_pipeline.domain.tariff_frames import TARIFF_RATES, TARIFFS, tariff_frames, tariffs_of
from tessie_pipeline.domain.tariffs import Rate, Season
from tessie_pipeline_tests.domain.priced import NIGHT, WORKDAYS, buy, sell, tariff


@pytest.mark.parametrize(
    ("first", "last", "day", "is_in"),
    [
        ("04-01", "09-30", "2026-04-01", True), ("04-01", "09-30", "2026-09-30", True),
        ("04-01", "09-30", "2026-03-31", False), ("04-01", "09-30", "2026-10-01", False),
        ("11-01", "03-31", "2026-12-31", True), ("11-01", "03-31", "2026-01-01", True),
        ("11-01", "03-31", "2026-04-01", False), ("11-01", "03-31", "2026-10-31", False),
        ("11-01", "02-28", "2028-02-29", True), ("11-01", "02-28", "2028-03-01", False),
        ("02-29", "03-31", "2027-02-28", False), ("02-29", "03-31", "2027-03-01", True),
        ("03-01", "10-31", "2028-02-29", False), ("06-01", "06-01", "2026-06-01", True),
    ],
)  # fmt: skip
def test_a_season_has_its_first_and_last_day_and_may_span_new_year(
    first: str, last: str, day: str, is_in: bool
) -> None:
    assert (date.fromisoformat(day) in Season.between(first, last)) == is_in


def test_a_tariff_has_the_prices_of_another_whatever_its_dates() -> None:
    old = tariff(buy("0.30"))
    assert old.has_prices_of(tariff(buy("0.300"), name="New", valid_from=date(2026, 1, 1)))
    assert not old.has_prices_of(tariff(buy("0.32")))
    assert not old.has_prices_of(replace(old, session_fee=Decimal(1)))


@pytest.mark.parametrize(
    ("faulty", "sentence"),
    [
        (lambda: tariff(sell("0.1")), "needs prices to buy"),
        (lambda: tariff(buy("1"), buy("1", unit="minute")), "all per kWh or all per minute"),
        (lambda: tariff(buy("1"), Rate("sell", Decimal(1), "minute")), "export earns by the kWh"),
        (lambda: tariff(buy("NaN")), "the price is NaN"),
        (lambda: tariff(buy("0.1234567")), "more than 6 digits"),
        (lambda: tariff(buy("1", "00:00:30", "01:00")), "full minute"),
        (lambda: tariff(buy("1", weekdays=frozenset({0}))), "numbers from 1"),
        (lambda: tariff(buy("1", weekdays=frozenset())), "at least one"),
        (lambda: tariff(buy("1"), zone="Europe"), "no time zone"),
        (lambda: tariff(buy("1"), currency="eur"), "no currency code"),
        (lambda: tariff(buy("1"), name=" "), "needs a name"),
        (lambda: Season.between("13-01", "01-01"), "13-01 is no day"),
        (lambda: Season.between("May", "June"), "May to June is no season"),
    ],
)
def test_what_is_no_tariff_is_refused_with_a_sentence(faulty: object, sentence: str) -> None:
    assert callable(faulty)
    with pytest.raises(ValueError, match=sentence):
        faulty()


def test_tariffs_become_rows_and_again_what_they_were() -> None:
    workdays = buy("-0.01", "17:00", "20:00", season=Season((11, 1), (2, 28)),
                   weekdays=WORKDAYS)  # fmt: skip
    first = tariff(workdays, *NIGHT.rates, session_fee=Decimal("0.5"), source="tesla")
    by_minute = tariff(buy("0.12", unit="minute"), name="Car park", valid_to=date(2026, 1, 1))
    tariffs, rates = tariff_frames([first, by_minute])
    assert (tariffs.schema, rates.schema) == (TARIFFS, TARIFF_RATES)
    assert rates.row(0) == (
        first.tariff_id, 0, "buy", "kwh", Decimal("-0.01"), "11-01", "02-28", "12345",
        time(17), time(20),
    )  # fmt: skip
    shuffled = rates.sample(fraction=1, shuffle=True, seed=1)
    assert tariffs_of(tariffs, shuffled) == [by_minute, first]
    assert [frame.height for frame in tariff_frames([])] == [0, 0]


def test_a_row_that_is_no_tariff_is_named() -> None:
    tariffs, rates = tariff_frames([NIGHT])
    with pytest.raises(ValueError, match=r"tariff Night \([0-9a-f]{32}\): a tariff needs prices"):
        tariffs_of(tariffs, rates.clear())
    half = rates.with_columns(season_first=pl.lit("04-01"))
    with pytest.raises(ValueError, match="04-01 to None is no season"):
        tariffs_of(tariffs, half)
