"""Daily exports of the Tesla app: real files of a year, and every form that a day can have."""

import csv
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from tessie_pipeline.domain.samples import ENERGY_DAILY
from tessie_pipeline.tesla.app_export import (
    APP_EXPORT_DAYS,
    read_app_export,
)
from tessie_pipeline_tests.tesla.app_exports import (
    EXAMPLES,
    FIRST,
    HEADER,
    KNOWN,
    SECOND,
    UNKNOWN,
    WITH_VEHICLE,
    export_of,
    only_day,
)


@pytest.fixture(scope="module")
def year() -> pl.DataFrame:
    return pl.concat(read_app_export(path).days for path in sorted(EXAMPLES.glob("*.csv")))


def test_a_year_of_real_files_has_every_day_once_and_no_bad_row(year: pl.DataFrame) -> None:
    files = sorted(EXAMPLES.glob("*.csv"))
    assert len(files) == 12
    assert [read_app_export(path).bad_rows for path in files] == [()] * 12
    every_day = pl.date_range(date(2023, 1, 1), date(2023, 12, 31), eager=True)
    assert year["date"].to_list() == every_day.to_list()
    assert year.height == 365


@pytest.mark.parametrize(
    ("day", "totals"),
    [
        (date(2023, 1, 1), (24.6, 1.6, 8.0, 17.3, 0.1)),
        (date(2023, 3, 11), (28.7, 10.0, 30.8, 9.0, 0.1)),
        (date(2023, 3, 12), (30.2, 12.6, 14.4, 8.5, 0.1)),
        (date(2023, 3, 13), (34.9, 4.8, 16.5, 19.7, 0.2)),
        (date(2023, 11, 5), (25.2, 13.4, 11.5, 5.9, 0.2)),
        (date(2023, 11, 6), (15.3, 1.3, 5.0, 11.7, 0.0)),
        (date(2023, 11, 30), (23.9, 1.2, 6.3, 19.2, 0.0)),
        (date(2023, 12, 1), (27.5, 1.3, 7.7, 20.3, 0.0)),
        (date(2023, 12, 3), (27.4, 0.0, 2.7, 25.4, 0.0)),
    ],
    ids=[
        "first day",
        "day before summer time",
        "summer time begins",
        "day after summer time began",
        "summer time ends",
        "day after summer time ended",
        "last day stamped 01:00",
        "first day stamped 00:00",
        "day without the Powerwall",
    ],
)
def test_a_day_has_the_totals_that_stand_in_the_file(
    year: pl.DataFrame, day: date, totals: tuple[float, ...]
) -> None:
    assert year.filter(date=day).select(KNOWN).rows() == [totals]


@pytest.mark.parametrize(
    ("column", "total"),
    [
        ("Home (kWh)", "home_consumed_kwh"),
        ("From Powerwall (kWh)", "battery_discharged_kwh"),
        ("Solar Energy (kWh)", "solar_produced_kwh"),
        ("From Grid (kWh)", "grid_imported_kwh"),
        ("To Grid (kWh)", "grid_exported_kwh"),
    ],
)
def test_a_year_sums_to_what_the_files_sum_to(year: pl.DataFrame, column: str, total: str) -> None:
    summed = 0.0
    for path in EXAMPLES.glob("*.csv"):
        with path.open(newline="") as file:
            summed += sum(float(row[column]) for row in csv.DictReader(file))
    assert summed > 1_000
    assert year[total].sum() == pytest.approx(summed, abs=1e-6)


def test_days_are_energy_daily_without_the_site_and_know_no_flow(year: pl.DataFrame) -> None:
    assert ["site_id", *year.columns] == list(ENERGY_DAILY)
    assert year.schema == APP_EXPORT_DAYS
    assert year["source"].unique().to_list() == ["app_export"]
    assert year.select(UNKNOWN).null_count().row(0) == (365,) * len(UNKNOWN)
    assert {"battery_charged_kwh", "solar_to_grid_kwh", "coverage_pct"} < set(UNKNOWN)
    assert {"self_consumption_pct", "solar_offset_pct", "generator_produced_kwh"} < set(UNKNOWN)


def test_home_counts_the_vehicle_that_the_app_shows_apart(folder: Path) -> None:
    row = "2025-04-01T00:00:00-07:00,12.1,8.2,9.0,14.3,2.0,5.0"
    day = only_day(export_of(folder, WITH_VEHICLE, row))
    assert day["home_consumed_kwh"] == 20.3
    assert day["battery_discharged_kwh"] == 9.0


def test_a_home_without_a_powerwall_has_no_battery_total(folder: Path) -> None:
    header = HEADER.replace("From Powerwall (kWh),", "")
    day = only_day(export_of(folder, header, "2024-05-01T00:00:00-07:00,20.5,30.2,4.3,9.9"))
    assert day == {
        "home_consumed_kwh": 20.5,
        "battery_discharged_kwh": None,
        "solar_produced_kwh": 30.2,
        "grid_imported_kwh": 4.3,
        "grid_exported_kwh": 9.9,
    }


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEADER}\n{FIRST}\n",
        f"{HEADER}\r\n{FIRST}\r\n",
        f"{HEADER}\r{FIRST}\r",
        f"{HEADER}\n{FIRST}",
        f"{HEADER}\n{FIRST}\n\n",
        f"{HEADER}\n\n  \n{FIRST}\n\r\n\r\n",
        HEADER.lower().replace(",", " , ") + f"\n{FIRST.replace(',', ' , ')}\n",
        '"' + HEADER.replace(",", '","') + '"\n"' + FIRST.replace(",", '","') + '"\n',
        f"Note,{HEADER},Savings ($)\nsunny,{FIRST},-1.5\n",
        "To Grid (kWh),From Grid (kWh),Solar Energy (kWh),From Powerwall (kWh),Home (kWh),Date time"
        "\n9.9,4.3,30.2,6.1,20.5,2024-05-01T00:00:00-07:00\n",
    ],
    ids=[
        "BOM",
        "CRLF",
        "CR",
        "no last line end",
        "trailing blank line",
        "blank lines",
        "capitals and spaces",
        "quotes",
        "unknown columns",
        "other order",
    ],
)
def test_the_same_day_is_read_from_every_form_of_the_file(folder: Path, content: str) -> None:
    path = folder / "app.csv"
    path.write_bytes(content.encode())
    assert only_day(read_app_export(path)) == {
        "home_consumed_kwh": 20.5,
        "battery_discharged_kwh": 6.1,
        "solar_produced_kwh": 30.2,
        "grid_imported_kwh": 4.3,
        "grid_exported_kwh": 9.9,
    }


@pytest.mark.parametrize(
    ("stamp", "day"),
    [
        ("2023-11-30T01:00:00-08:00", date(2023, 11, 30)),
        ("2023-12-01T00:00:00-08:00", date(2023, 12, 1)),
        ("2024-01-01T00:00:00+13:00", date(2024, 1, 1)),
        ("2024-06-30T00:00:00Z", date(2024, 6, 30)),
        ("2024-06-30T00:00:00", date(2024, 6, 30)),
        ("2024-06-30", date(2024, 6, 30)),
    ],
)
def test_a_day_is_the_local_date_of_its_stamp(folder: Path, stamp: str, day: date) -> None:
    export = export_of(folder, HEADER, f"{stamp},1,1,1,1,1")
    assert export.days["date"].to_list() == [day]


def test_days_come_sorted_whatever_the_order_of_the_rows(folder: Path) -> None:
    export = export_of(folder, HEADER, SECOND, FIRST)
    assert export.days["date"].to_list() == [date(2024, 5, 1), date(2024, 5, 2)]


def test_minus_zero_is_zero(folder: Path) -> None:
    day = only_day(export_of(folder, HEADER, FIRST.replace("9.9", "-0.0")))
    assert str(day["grid_exported_kwh"]) == "0.0"


def test_a_header_alone_is_an_export_without_days(folder: Path) -> None:
    export = export_of(folder, HEADER)
    assert export.days.schema == APP_EXPORT_DAYS
    assert export.days.height == 0
    assert export.bad_rows == ()
