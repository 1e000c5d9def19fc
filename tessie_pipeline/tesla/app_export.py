"""Decoding of the daily CSV exports of the Tesla app: one row of kWh per local day.

Here: a file to a frame of days, and each row that could not be read with its line and the reason.
Files with other steps than a day are refused whole. Not here: the API's history (`history`), sites,
storage.
"""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import polars as pl

from tessie_pipeline.domain.samples import ENERGY_DAILY
from tessie_pipeline.tesla.answers import EARLIEST, LATEST

APP_EXPORT_DAYS = pl.Schema(
    {name: dtype for name, dtype in ENERGY_DAILY.items() if name != "site_id"}
)
"""One row per local calendar day; the export does not say whose it is."""

LARGEST_KWH = 10_000
"""No home's part makes or uses more in a day."""

_STAMP = "Date time"
_HOME = "Home (kWh)"
_VEHICLE = "Vehicle (kWh)"
_TOTALS = {
    "Solar Energy (kWh)": "solar_produced_kwh",
    "From Powerwall (kWh)": "battery_discharged_kwh",
    "From Grid (kWh)": "grid_imported_kwh",
    "To Grid (kWh)": "grid_exported_kwh",
}
_COLUMNS = (_STAMP, _HOME, _VEHICLE, *_TOTALS)
_OPTIONAL = frozenset({_VEHICLE, "From Powerwall (kWh)"})
_DAY_STARTS = frozenset({time(0), time(1)})
_SHORTEST_MONTH = timedelta(days=28)
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_SHOWN_CHARS = 60
_DAILY_NEEDED = (
    "Daily exports are needed: in the Tesla app, choose a week or a month on the Energy screen and "
    "download the data from there (the wording differs between versions of the app)."
)


class NotAnAppExport(ValueError):
    """A file that is no daily export of the Tesla app; the message names it and says why."""


@dataclass(frozen=True)
class BadRow:
    """A row of an export that could not be read, kept with the sentence that says why.

    Attributes:
        file: The file's name, without its folder.
        line: The row's line in the file, the first being 1.
        reason: What was found and what was expected.
        text: The line as it stands in the file.
    """

    file: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class AppExport:
    """What one file holds.

    Attributes:
        days: `APP_EXPORT_DAYS`, sorted by date, one row per date.
        bad_rows: The rows that are not in `days`, by line.
    """

    days: pl.DataFrame
    bad_rows: tuple[BadRow, ...]


@dataclass(frozen=True)
class _Row:
    line: int
    text: str
    stamp: datetime
    cells: dict[str, str]


class _BrokenRow(ValueError):
    """A row that cannot be read; the message is the reason of its `BadRow`."""


def read_app_export(path: Path) -> AppExport:
    """The days of a CSV file that the Tesla app exported, in kWh, all >= 0.

    Known are the solar, battery-out, import, export and home totals; flows, `battery_charged_kwh`,
    generator and percentages are null, because the export does not tell them, and `source` is
    "app_export". A day is the local date of its stamp, 01:00 up to November 2023 and 00:00 since
    (craigahobbs/solar). Without a column `From Powerwall (kWh)` its total is null.

    `home_consumed_kwh` is `Home (kWh)` plus `Vehicle (kWh)`, because Home leaves the car out where
    the app shows it apart. The one public file with both columns says so (craigahobbs/solar,
    2025-03-31: Home 30.3, Vehicle 17.0, From Powerwall 33.7, Solar 37.2, From Grid 0.1, To Grid
    10.1): the Powerwall gave more than Home alone, as on none of the home's 1,795 other days, but
    less than both. A Powerwall that exported 3.4 kWh would explain that day too, so it is no proof;
    zabuldon/teslajsonpy#342 saw the app's Home reduced by the Wall Connector's power as well.
    Where the app does not know of a charge, Vehicle is 0 and Home holds it, so the sum is right.

    The last row of a day that has not ended is a part of that day; the file does not tell. A single
    row with a month's total cannot be told from a day's either.

    Raises:
        NotAnAppExport: The file is empty, no text or without the columns of a daily export, or has
            rows for parts of a day, or only rows a month or more apart.
        OSError: The file cannot be read.
    """
    (_, header), *body = _lines(path)
    names = _column_names(path.name, header)
    rows: list[_Row] = []
    bad_rows: list[BadRow] = []
    for line, text in body:
        try:
            rows.append(_row(line, text, names))
        except _BrokenRow as error:
            bad_rows.append(BadRow(path.name, line, str(error), text))
    _require_daily_steps(path.name, rows)
    days: dict[date, dict[str, object]] = {}
    lines: dict[date, int] = {}
    for row in rows:
        day = row.stamp.date()
        try:
            if day in lines:
                raise _BrokenRow(f"{day} is on line {lines[day]} already, expected one row a day")
            days[day] = _totals(row)
            lines[day] = row.line
        except _BrokenRow as error:
            bad_rows.append(BadRow(path.name, row.line, str(error), row.text))
    return AppExport(
        days=pl.DataFrame([days[day] for day in sorted(days)], schema=APP_EXPORT_DAYS),
        bad_rows=tuple(sorted(bad_rows, key=lambda bad: bad.line)),
    )


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not blank, at least one, each with its number."""
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotAnAppExport(f"{path.name} is not UTF-8 text, expected a CSV file.") from error
    if "\0" in content:
        raise NotAnAppExport(f"{path.name} is a binary file, expected a CSV file.")
    lines = [
        (number, line.rstrip("\r\n"))
        for number, line in enumerate(io.StringIO(content, newline=""), start=1)
        if line.strip()
    ]
    if not lines:
        raise NotAnAppExport(f"{path.name} is empty, expected an export of the Tesla app.")
    return lines


def _column_names(file: str, header: str) -> list[str]:
    """The names in the header, as `_COLUMNS` spells them; others are kept and mean nothing."""
    spelled = {column.casefold(): column for column in _COLUMNS}
    try:
        found = _cells(header)
    except _BrokenRow as error:
        raise NotAnAppExport(f"{file} has no header that can be read: {error}.") from error
    names = [spelled.get(name.casefold(), name) for name in found]
    if any(name.casefold().endswith("(kw)") for name in names):
        raise NotAnAppExport(f"{file} has power in kW, expected energy in kWh. {_DAILY_NEEDED}")
    missing = [name for name in _COLUMNS if name not in {*names, *_OPTIONAL}]
    if missing:
        raise NotAnAppExport(
            f"{file} is no daily export of the Tesla app: {', '.join(missing)} is missing from its "
            f"header, which is {_shown(header)}."
        )
    counts = Counter(names)
    repeated = [name for name in _COLUMNS if counts[name] > 1]
    if repeated:
        raise NotAnAppExport(f"{file} has two columns {repeated[0]}, expected one.")
    return names


def _cells(text: str) -> list[str]:
    """The cells of one line; the app writes no line breaks into cells."""
    try:
        return [cell.strip() for cell in next(csv.reader([text], strict=True))]
    except csv.Error as error:
        raise _BrokenRow(f"the line is no CSV, {error}") from error


def _row(line: int, text: str, names: list[str]) -> _Row:
    cells = _cells(text)
    if len(cells) != len(names):
        raise _BrokenRow(f"the line has {len(cells)} cells, expected {len(names)} as in the header")
    named = dict(zip(names, cells, strict=True))
    return _Row(line, text, _stamp(named[_STAMP]), named)


def _stamp(cell: str) -> datetime:
    try:
        stamp = datetime.fromisoformat(cell)
    except ValueError as error:
        expected = "expected a time such as 2023-01-01T00:00:00-08:00"
        raise _BrokenRow(f"{_STAMP} is {_shown(cell)}, {expected}") from error
    if not EARLIEST.year <= stamp.year < LATEST.year:
        raise _BrokenRow(f"{_STAMP} is {_shown(cell)}, expected a time from 2010 to 2099")
    return stamp


def _require_daily_steps(file: str, rows: list[_Row]) -> None:
    """Refuse 5-minute files and monthly ones, whose headers are those of the daily ones."""
    first: dict[date, _Row] = {}
    for row in rows:
        earlier = first.setdefault(row.stamp.date(), row)
        if row.stamp.time() not in _DAY_STARTS or row.stamp != earlier.stamp:
            raise NotAnAppExport(
                f"{file} has rows for parts of a day, such as line {row.line} at {row.stamp}, "
                f"expected one row a day, at 00:00 or 01:00. {_DAILY_NEEDED}"
            )
    gaps = [later - earlier for earlier, later in pairwise(sorted(first))]
    if gaps and min(gaps) >= _SHORTEST_MONTH:
        raise NotAnAppExport(
            f"{file} has rows a month or more apart, as for months or years, expected one row a "
            f"day. {_DAILY_NEEDED}"
        )


def _totals(row: _Row) -> dict[str, object]:
    """The known columns of a day."""
    kwh = {name: _kwh(name, row.cells[name]) for name in _COLUMNS[1:] if name in row.cells}
    home_kwh = kwh[_HOME] + kwh.get(_VEHICLE, Decimal(0))
    return {
        "date": row.stamp.date(),
        **{total: float(kwh[name]) for name, total in _TOTALS.items() if name in kwh},
        "home_consumed_kwh": float(home_kwh),
        "source": "app_export",
    }


def _kwh(name: str, cell: str) -> Decimal:
    """A cell's number; decimal, so that Home and Vehicle add up to what a person would add."""
    if not _NUMBER.fullmatch(cell):
        raise _BrokenRow(f"{name} is {_shown(cell)}, expected a number of kWh")
    number = Decimal(cell)
    if number < 0:
        raise _BrokenRow(f"{name} is {_shown(cell)}, expected no less than 0 kWh")
    if number > LARGEST_KWH:
        raise _BrokenRow(f"{name} is {_shown(cell)}, expected at most {LARGEST_KWH} kWh in a day")
    return abs(number)


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN_CHARS]) if text else "empty"
