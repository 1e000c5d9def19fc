"""Daily exports of the Tesla app: every way a row or a file can be broken."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessie_pipeline.tesla.app_export import (
    APP_EXPORT_DAYS,
    BadRow,
    NotAnAppExport,
    read_app_export,
)
from tessie_pipeline_tests.tesla.app_exports import (
    EXAMPLES,
    FIRST,
    HEADER,
    KNOWN,
    SECOND,
    WITH_VEHICLE,
    export_of,
    refusal_of,
)

quickly = settings(max_examples=200, deadline=None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            "01/05/2024,20.5,6.1,30.2,4.3,9.9",
            "Date time is '01/05/2024', expected a time such as 2023-01-01T00:00:00-08:00",
        ),
        (
            ",20.5,6.1,30.2,4.3,9.9",
            "Date time is empty, expected a time such as 2023-01-01T00:00:00-08:00",
        ),
        (
            "2024-02-30T00:00:00-08:00,20.5,6.1,30.2,4.3,9.9",
            "Date time is '2024-02-30T00:00:00-08:00', "
            "expected a time such as 2023-01-01T00:00:00-08:00",
        ),
        (
            "0001-01-01T00:00:00-08:00,20.5,6.1,30.2,4.3,9.9",
            "Date time is '0001-01-01T00:00:00-08:00', expected a time from 2010 to 2099",
        ),
        (FIRST.replace("6.1", "--"), "From Powerwall (kWh) is '--', expected a number of kWh"),
        (FIRST.replace("30.2", "nan"), "Solar Energy (kWh) is 'nan', expected a number of kWh"),
        (FIRST.replace("30.2", "1_0"), "Solar Energy (kWh) is '1_0', expected a number of kWh"),
        (FIRST.replace("30.2", "1e1"), "Solar Energy (kWh) is '1e1', expected a number of kWh"),
        (
            FIRST.replace("30.2", "\u0663"),
            r"Solar Energy (kWh) is '\u0663', expected a number of kWh",
        ),
        (FIRST.replace("20.5", '"1,2"'), "Home (kWh) is '1,2', expected a number of kWh"),
        (FIRST.replace("20.5", ""), "Home (kWh) is empty, expected a number of kWh"),
        (FIRST.replace("9.9", "-0.1"), "To Grid (kWh) is '-0.1', expected no less than 0 kWh"),
        (
            FIRST.replace("4.3", "10000.1"),
            "From Grid (kWh) is '10000.1', expected at most 10000 kWh in a day",
        ),
        (
            FIRST.replace("20.5", "20,5"),
            "the line has 7 cells, expected 6 as in the header",
        ),
        (FIRST.removesuffix(",9.9"), "the line has 5 cells, expected 6 as in the header"),
        (
            FIRST.replace("20.5", '"20.5'),
            "the line is no CSV, unexpected end of data",
        ),
        (
            SECOND.replace("21.0", "22.0"),
            "2024-05-02 is on line 2 already, expected one row a day",
        ),
    ],
    ids=[
        "slashed date",
        "no date",
        "impossible date",
        "impossible year",
        "no number",
        "not a number",
        "underscore",
        "exponent",
        "Arabic digit",
        "quoted decimal comma",
        "empty number",
        "negative",
        "impossible energy",
        "decimal comma",
        "too few cells",
        "open quote",
        "repeated date",
    ],
)
def test_a_broken_row_is_told_by_its_line_and_the_others_load(
    folder: Path, row: str, reason: str
) -> None:
    third = SECOND.replace("05-02", "05-03")
    export = export_of(folder, HEADER, SECOND, "", row, third)
    assert export.bad_rows == (BadRow("app.csv", 4, reason, row),)
    assert export.days["date"].to_list() == [date(2024, 5, 2), date(2024, 5, 3)]
    assert export.days["home_consumed_kwh"].to_list() == [21.0, 21.0]


def test_an_empty_vehicle_breaks_the_row_because_home_would_be_too_small(folder: Path) -> None:
    export = export_of(folder, WITH_VEHICLE, "2025-04-01T00:00:00-07:00,12.1,,9.0,14.3,2.0,5.0")
    assert [bad.reason for bad in export.bad_rows] == [
        "Vehicle (kWh) is empty, expected a number of kWh"
    ]
    assert export.days.height == 0


def test_a_good_row_counts_after_a_broken_one_of_its_day(folder: Path) -> None:
    export = export_of(folder, HEADER, FIRST.replace("20.5", "?"), FIRST)
    assert [bad.line for bad in export.bad_rows] == [2]
    assert export.days["home_consumed_kwh"].to_list() == [20.5]


def test_broken_rows_of_every_kind_come_in_the_order_of_their_lines(folder: Path) -> None:
    export = export_of(folder, HEADER, FIRST, "x,1,1,1,1,1", FIRST, "y", end="\r\n")
    assert [(bad.line, bad.text) for bad in export.bad_rows] == [
        (3, "x,1,1,1,1,1"),
        (4, FIRST),
        (5, "y"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "app.csv is empty, expected an export of the Tesla app."),
        (b"\xef\xbb\xbf \r\n\n", "app.csv is empty, expected an export of the Tesla app."),
        (b"\x89PNG\r\n\x1a\n\xff", "app.csv is not UTF-8 text, expected a CSV file."),
        (HEADER.encode("utf-16"), "app.csv is not UTF-8 text, expected a CSV file."),
        (b"a\x00b\n", "app.csv is a binary file, expected a CSV file."),
        (
            b'"Date time\n',
            "app.csv has no header that can be read: the line is no CSV, unexpected end of data.",
        ),
    ],
    ids=["empty", "blank", "picture", "UTF-16", "NUL", "open quote in the header"],
)
def test_a_file_that_is_no_csv_is_refused(folder: Path, content: bytes, sentence: str) -> None:
    path = folder / "app.csv"
    path.write_bytes(content)
    with pytest.raises(NotAnAppExport) as refusal:
        read_app_export(path)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    "column",
    ["Date time", "Home (kWh)", "Solar Energy (kWh)", "From Grid (kWh)", "To Grid (kWh)"],
)
def test_a_missing_column_is_named(folder: Path, column: str) -> None:
    sentence = refusal_of(folder, HEADER.replace(column, "Other"), FIRST)
    assert f"{column} is missing from its header" in sentence


def test_a_file_without_a_header_is_refused(folder: Path) -> None:
    sentence = refusal_of(folder, FIRST, SECOND)
    assert "Date time, Home (kWh), Solar Energy (kWh), From Grid (kWh), To Grid (kWh)" in sentence
    assert "its header, which is '2024-05-01T00:00:00-07:00,20.5," in sentence


def test_a_column_that_stands_twice_is_refused(folder: Path) -> None:
    sentence = refusal_of(folder, f"{HEADER},Home (kWh)", f"{FIRST},99.0")
    assert sentence == "app.csv has two columns Home (kWh), expected one."


@pytest.mark.parametrize(
    ("stamps", "row"),
    [
        (
            ["2024-05-01T00:00:00-07:00", "2024-05-01T00:05:00-07:00"],
            "line 3 at 2024-05-01 00:05:00-07:00",
        ),
        (
            ["2024-05-01T00:00:00-07:00", "2024-05-01T01:00:00-07:00"],
            "line 3 at 2024-05-01 01:00:00-07:00",
        ),
        (
            ["2024-11-03T01:00:00-07:00", "2024-11-03T01:00:00-08:00"],
            "line 3 at 2024-11-03 01:00:00-08:00",
        ),
        (["2024-05-01T00:05:00-07:00"], "line 2 at 2024-05-01 00:05:00-07:00"),
        (
            ["2024-05-01T00:00:00-07:00", "2024-05-02T12:00:00-07:00"],
            "line 3 at 2024-05-02 12:00:00-07:00",
        ),
        (
            ["2024-05-01T07:00:00Z", "2024-05-02T07:00:00Z"],
            "line 2 at 2024-05-01 07:00:00+00:00",
        ),
    ],
    ids=[
        "five minutes",
        "hours",
        "the hour that comes twice",
        "one row off the day's start",
        "one of two rows off the day's start",
        "UTC, which does not tell the local day",
    ],
)
def test_rows_for_parts_of_a_day_are_refused_with_what_is_needed(
    folder: Path, stamps: list[str], row: str
) -> None:
    sentence = refusal_of(folder, HEADER, *(f"{stamp},0.1,0.0,0.2,0.0,0.1" for stamp in stamps))
    assert f"has rows for parts of a day, such as {row}, expected one row a day" in sentence
    assert "Daily exports are needed: in the Tesla app, choose a week or a month" in sentence


def test_five_minute_rows_are_refused_even_where_their_numbers_are_broken(folder: Path) -> None:
    sentence = refusal_of(
        folder, HEADER, FIRST, FIRST.replace("T00:00", "T00:05").replace("9.9", "?")
    )
    assert "line 3 at 2024-05-01 00:05:00-07:00, expected one row a day" in sentence


def test_power_in_kw_is_refused_with_what_is_needed(folder: Path) -> None:
    sentence = refusal_of(folder, HEADER.replace("kWh", "kW"), FIRST)
    assert "has power in kW, expected energy in kWh. Daily exports are needed" in sentence


@pytest.mark.parametrize(
    "days",
    [["2024-02-01", "2024-01-01", "2024-03-01"], ["2023-05-17", "2024-01-01"]],
    ids=["months", "years"],
)
def test_totals_of_months_and_years_are_not_taken_for_days(folder: Path, days: list[str]) -> None:
    sentence = refusal_of(folder, HEADER, *(f"{day}T00:00:00-08:00,900,1,2,3,4" for day in days))
    assert "has rows a month or more apart" in sentence
    assert "Daily exports are needed" in sentence


def test_days_with_a_month_missing_between_them_are_days(folder: Path) -> None:
    later = SECOND.replace("05-02", "06-30")
    assert export_of(folder, HEADER, FIRST, SECOND, later).days.height == 3


def test_a_file_that_is_not_there_stays_an_error_of_the_system(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_app_export(folder / "absent.csv")


def is_read_or_refused(path: Path, content: bytes) -> None:
    """Every line that is not blank is the header, a day or a bad row; or the file is refused."""
    path.write_bytes(content)
    try:
        export = read_app_export(path)
    except NotAnAppExport:
        return
    lines = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    numbers = [number for number, line in enumerate(lines, start=1) if line.strip()]
    bad_lines = [bad.line for bad in export.bad_rows]
    assert export.days.height + len(bad_lines) == len(numbers) - 1
    assert set(bad_lines) < set(numbers)
    assert [bad.text for bad in export.bad_rows] == [lines[line - 1] for line in bad_lines]
    assert export.days.schema == APP_EXPORT_DAYS
    assert export.days["date"].is_unique().all()
    assert export.days.select(pl.col(KNOWN).is_between(0, 20_000).all()).row(0) == (True,) * 5


@quickly
@given(content=st.one_of(st.text().map(str.encode), st.binary()))
def test_any_file_is_read_or_refused(folder: Path, content: bytes) -> None:
    is_read_or_refused(folder / "any.csv", content)


@quickly
@given(rows=st.lists(st.text(alphabet='0123456789-:T.,+"\r\n é\u2028\x1c', max_size=60)))
def test_any_rows_below_a_header_are_read_or_refused(folder: Path, rows: list[str]) -> None:
    is_read_or_refused(folder / "rows.csv", "\n".join([WITH_VEHICLE, *rows]).encode())


@quickly
@given(data=st.data())
def test_a_real_file_with_damage_is_read_or_refused(folder: Path, data: st.DataObject) -> None:
    text = (EXAMPLES / "2023-11.csv").read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 40, len(text))))
        junk = data.draw(st.sampled_from(["", ",", '"', "-", "9", "x", "\n", "\r"]) | st.text())
        text = text[:start] + junk + text[end:]
    is_read_or_refused(folder / "damaged.csv", text.encode())
