"""A newcomer's path: demo, status, url, import, down. The tests go through it in order."""

import shlex
import stat
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from tessie_pipeline.cli.environment import PROJECT
from tessie_pipeline.store import migrations
from tessie_pipeline_tests.cli.conftest import Tessie

JANUARY = PROJECT / "docs" / "examples" / "app_export" / "2023-01.csv"
IMPORTED = 365


@pytest.fixture(scope="module")
def days(demo: str) -> int:
    """How many days of energy there are: 8 dates of UTC before today, and those begun at home."""
    assert demo
    now = datetime.now(UTC)
    is_begun = now.astimezone(ZoneInfo("America/Los_Angeles")).date() == now.date()
    return 8 + is_begun + IMPORTED


@pytest.fixture(scope="module")
def demo(tessie: Tessie) -> str:
    """What the demo printed."""
    process = tessie.start("demo", "--days", "8")
    printed, _ = process.communicate(timeout=180)
    assert process.returncode == 0, printed
    return str(printed)


@pytest.fixture(scope="module")
def reader_url(tessie: Tessie, demo: str) -> str:
    assert demo
    return tessie("url").stdout


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg2"))
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sa.text(statement))]
    engine.dispose()
    return rows


def test_the_demo_shows_what_was_stored_and_what_to_do_next(demo: str, days: int) -> None:
    assert "energy_daily" in demo
    assert f"{days}" in demo
    assert "The last seven days of energy" in demo
    assert "Where their energy came from" in demo
    assert "tessie up" in demo
    assert "Traceback" not in demo


def test_the_key_is_kept_where_only_its_owner_reads_it(tessie: Tessie, demo: str) -> None:
    file = tessie.home / ".env"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = file.read_text().strip().removeprefix("ENCRYPTION_KEY=")
    assert len(key) == 64
    assert key not in demo


def test_the_backfill_was_one_run(tessie: Tessie, demo: str) -> None:
    assert demo
    owner_url = _variables(tessie)["DATABASE_URL"]
    jobs = query(
        owner_url, "select pipeline_name, count(*) from dagster.runs group by 1 order by 1"
    )
    assert [job for job in jobs if job[0] != "changed_days"] == [
        ("charging_records", 1),
        ("energy_days", 1),
        ("live_poll", 2),
        ("vehicle_history", 2),
    ]


def test_charges_are_shown_with_what_they_cost(reader_url: str) -> None:
    charges = query(
        reader_url,
        "select energy_added_kwh > 0, cost > 0, cost_currency from bi.charging_sessions",
    )
    assert charges
    # Whether a car has just been plugged in depends on the time of day: then it has no cost yet.
    assert set(charges) <= {(True, True, "USD"), (False, False, None), (False, None, None)}
    assert (True, True, "USD") in charges


def test_the_energy_of_home_and_cars_is_attributed(reader_url: str) -> None:
    days = query(
        reader_url,
        "select policy, count(distinct date), sum(solar_kwh) > 0, "
        "sum(energy_kwh) - sum(from_solar_kwh + from_battery_solar_kwh + from_battery_grid_kwh "
        "+ from_battery_generator_kwh + from_battery_unknown_kwh + from_generator_kwh "
        "+ from_grid_kwh + unattributed_kwh) from bi.solar_attribution_daily "
        "where used_by = 'home' group by 1 order by 1",
    )
    assert [(policy, is_sunny) for policy, _, is_sunny, _ in days] == [
        ("ev_last", True), ("proportional", True), ("solar_to_ev_first", True)
    ]  # fmt: skip
    for dates, rest in ((day[1], day[3]) for day in days):
        assert isinstance(dates, int)
        assert dates >= 8
        assert rest == pytest.approx(0, abs=1e-6)
    assert query(reader_url, "select count(*) from dirty_days") == [(0,)]


def test_a_bi_tool_can_read_the_views_and_nothing_else(reader_url: str, days: int) -> None:
    assert query(reader_url, "select count(*) from bi.energy_daily") == [(days,)]
    assert query(reader_url, "select count(*) from bi.vehicles_now") == [(2,)]
    with pytest.raises(sa.exc.DBAPIError, match="permission denied for schema private"):
        query(reader_url, "select * from private.user_config")
    with pytest.raises(sa.exc.DBAPIError, match="permission denied for table energy_daily"):
        query(reader_url, "set transaction read write; delete from energy_daily")


def test_the_status_names_the_last_poll_and_the_rows(tessie: Tessie, days: int) -> None:
    status = tessie("status").stdout

    assert "Last poll" in status
    assert "success" in status
    assert f"{days}" in status
    assert "the simulator" in status


def test_importing_again_changes_nothing(tessie: Tessie, demo: str) -> None:
    assert demo
    result = tessie("import", "app-export", str(JANUARY))

    assert result.returncode == 0, result.stderr
    assert "31 days from 2023-01-01 to 2023-01-31: 0 written" in result.stdout


def test_a_broken_row_is_named_with_file_and_line_and_the_others_load(
    tessie: Tessie, demo: str, tmp_path: Path
) -> None:
    assert demo
    lines = JANUARY.read_text().replace("2023-01", "2022-01").splitlines()
    lines[3] = lines[3].replace(",25.0,", ",many,")
    broken = tmp_path / "2022-01.csv"
    broken.write_text("\n".join(lines))

    result = tessie("import", "app-export", str(broken))

    assert result.returncode == 0, result.stderr
    assert "2022-01.csv:4:" in result.stdout
    assert "30 days from 2022-01-01 to 2022-01-31: 30 written" in result.stdout


def test_an_unreadable_file_is_reported_after_the_others_loaded(
    tessie: Tessie, demo: str, tmp_path: Path
) -> None:
    assert demo
    no_export = tmp_path / "notes.csv"
    no_export.write_text("shopping list\n")

    result = tessie("import", "app-export", str(no_export), str(JANUARY))

    assert result.returncode == 1
    assert "notes.csv" in result.stderr
    assert "31 days" in result.stdout


def test_files_that_tell_a_day_differently_are_named_and_the_last_is_taken(
    tessie: Tessie, demo: str, reader_url: str, tmp_path: Path
) -> None:
    assert demo
    lines = JANUARY.read_text().replace("2023-01", "2021-01").splitlines()
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("\n".join(lines[:3]))
    second.write_text("\n".join([lines[0], lines[2].replace(",26.8,", ",27.5,")]))

    result = tessie("import", "app-export", str(first), str(second))

    assert "2021-01-02: files differ, the last one given is taken" in result.stdout
    assert "2 days from 2021-01-01 to 2021-01-02: 2 written" in result.stdout
    days = query(
        reader_url,
        "select home_consumed_kwh from bi.energy_daily where date < '2021-02-01' order by date",
    )
    assert days == [(24.6,), (27.5,)]


def test_an_unknown_site_is_said_in_a_sentence(tessie: Tessie, demo: str) -> None:
    assert demo
    result = tessie("import", "app-export", "--site", "Elsewhere", str(JANUARY))

    assert result.returncode == 1
    assert "There is no energy site Elsewhere; there is Sacramento" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_simulated_home_is_not_polled_with_credentials(tessie: Tessie, demo: str) -> None:
    assert demo
    result = tessie("env", TESLA_CLIENT_ID="mine")

    assert result.returncode == 1
    assert "This database holds a simulated household" in result.stderr


def test_down_stops_the_server_and_the_data_stay(tessie: Tessie, days: int) -> None:
    assert "Postgres is stopped" in tessie("down").stdout
    assert "Postgres was not running" in tessie("down").stdout

    assert f"{days + 30 + 2}" in tessie("status").stdout


def test_migrations_go_down_and_up_again(tessie: Tessie, demo: str) -> None:
    assert demo
    newest = ScriptDirectory(str(migrations.SQL_DIRECTORY)).get_current_head()
    assert f"at {newest}" in tessie("migrate", "--status").stdout
    while "at nothing" not in (down := tessie("migrate", "--down").stdout):
        assert "Pending: " in down
    assert "none: run `tessie migrate`" in tessie("status").stdout
    assert f"at {newest}" in tessie("migrate").stdout


def _variables(tessie: Tessie) -> dict[str, str]:
    exports = tessie("env").stdout.removeprefix("export ").split(" export ")
    return dict(shlex.split(export)[0].split("=", 1) for export in exports)
