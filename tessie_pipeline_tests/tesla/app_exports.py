"""Files as the Tesla app exports them, for tests: real examples, and lines to put together."""

from pathlib import Path

import polars as pl
import pytest

from tessie_pipeline.tesla.app_export import (
    APP_EXPORT_DAYS,
    AppExport,
    NotAnAppExport,
    read_app_export,
)

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "app_export"
HEADER = (
    "Date time,Home (kWh),From Powerwall (kWh),Solar Energy (kWh),From Grid (kWh),To Grid (kWh)"
)
WITH_VEHICLE = HEADER.replace("Home (kWh)", "Home (kWh),Vehicle (kWh)")
FIRST = "2024-05-01T00:00:00-07:00,20.5,6.1,30.2,4.3,9.9"
SECOND = "2024-05-02T00:00:00-07:00,21.0,7.0,31.0,5.0,10.0"
KNOWN = (
    "home_consumed_kwh",
    "battery_discharged_kwh",
    "solar_produced_kwh",
    "grid_imported_kwh",
    "grid_exported_kwh",
)
UNKNOWN = [
    name for name, dtype in APP_EXPORT_DAYS.items() if dtype == pl.Float64() and name not in KNOWN
]


def export_of(folder: Path, *lines: str, end: str = "\n") -> AppExport:
    """What is read from a file app.csv of these lines."""
    path = folder / "app.csv"
    path.write_bytes("".join(line + end for line in lines).encode())
    return read_app_export(path)


def refusal_of(folder: Path, *lines: str) -> str:
    """The sentence with which a file of these lines is refused."""
    with pytest.raises(NotAnAppExport) as refusal:
        export_of(folder, *lines)
    assert str(refusal.value).startswith("app.csv ")
    return str(refusal.value)


def only_day(export: AppExport) -> dict[str, object]:
    """The known totals of an export's only day."""
    assert export.bad_rows == ()
    return export.days.select(KNOWN).row(0, named=True)
