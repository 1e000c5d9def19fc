"""`tessie tariff`: prices from a file, what is stored, a day's prices by the clock, removal."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from tessie_pipeline.store.charging.places import Place, save_place
from tessie_pipeline.store.charging.tariffs import tariff_names
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.cli.conftest import Result, Tessie

DOCUMENT = Path(__file__).parents[2] / "docs" / "tariffs.md"
EXAMPLE = DOCUMENT.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
FOLLOWS = "History follows by itself"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The example of the documentation: Home with two versions, and a car park."""
    path = tmp_path / "tariffs.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    return path


def run(tessie: Tessie, database: Database, *arguments: object) -> Result:
    return tessie("tariff", *map(str, arguments), DATABASE_URL=database.url())


def done(tessie: Tessie, database: Database, *arguments: object) -> str:
    """What a command that succeeds prints."""
    result = run(tessie, database, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(tessie: Tessie, database: Database, *arguments: object) -> str:
    """What a command that fails says, after which the tariffs are as they were."""
    before = names(database)
    result = run(tessie, database, *arguments)
    assert result.returncode == 1
    assert names(database) == before
    return result.stderr


def names(database: Database) -> Sequence[str]:
    with database.rows() as connection:
        return tariff_names(connection)


def by_hand(database: Database, statement: str) -> None:
    """What a person does with SQL."""
    with database.rows() as connection:
        connection.execute(sa.text(statement))


def test_a_file_is_loaded_and_what_came_of_each_version_is_told(
    tessie: Tessie, database: Database, file: Path
) -> None:
    printed = done(tessie, database, "load", file)
    assert "new Home new Home from 2026-01-01 new Car park" in printed
    assert 'No place has Car park: `tessie place add PLACE --tariff "Car park"`.' in printed
    assert FOLLOWS in printed
    printed = done(tessie, database, "load", file)
    assert "unchanged Home unchanged Home from 2026-01-01 unchanged Car park" in printed
    assert "Nothing has changed." in printed
    assert FOLLOWS not in printed
    _, new, car_park = EXAMPLE.split("[[tariff]]")[1:]
    dearer = new.replace("0.3499", "0.3599")
    file.write_text(f"[[tariff]]{dearer}[[tariff]]{car_park}", encoding="utf-8")
    printed = done(tessie, database, "load", file)
    assert "changed Home from 2026-01-01 unchanged Car park removed Home" in printed
    assert FOLLOWS in printed


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "tariffs.toml cannot be read: No such file or directory"),
        (b"\xff\xfe", "tariffs.toml is no text in UTF-8"),
        (b"name =", "tariffs.toml: the file is not TOML"),
        (EXAMPLE.replace("EUR", "euro").encode(), "tariffs.toml: tariff 1 (Home): 'euro' is no"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(
    tessie: Tessie, database: Database, file: Path, content: bytes | None, sentence: str
) -> None:
    file.unlink() if content is None else file.write_bytes(content)
    assert sentence.replace(" ", "") in refused(tessie, database, "load", file).replace(" ", "")


def test_a_file_does_not_replace_what_a_person_wrote(
    tessie: Tessie, database: Database, file: Path
) -> None:
    by_hand(
        database, "insert into tariffs (name, currency, time_zone) values ('Home', 'EUR', 'UTC')"
    )
    said = refused(tessie, database, "load", file)
    assert "there is a tariff Home already, of source hand; give the one in the file" in said


def test_the_list_tells_versions_where_they_are_used_and_what_is_left_out(
    tessie: Tessie, database: Database, file: Path
) -> None:
    assert "There are no tariffs yet" in done(tessie, database, "list")
    done(tessie, database, "load", file)
    by_hand(database, "insert into tariffs (name, currency, time_zone) values ('Mars', 'EUR', '?')")
    with database.rows() as connection:
        for name in ("Lake [2]", "House"):
            save_place(connection, Place(name, 52.5, 13.4, tariff_name="Home"))
    printed = done(tessie, database, "list")
    assert "Car park EUR 1 file Home 2026-01-01 EUR 3 file House, Lake [2]" in printed
    assert "Home 2026-01-01 EUR 4 file House, Lake [2]" in printed
    assert "Left out: tariff Mars" in printed


def test_a_day_is_shown_by_its_clock_in_the_version_of_that_day(
    tessie: Tessie, database: Database, file: Path
) -> None:
    done(tessie, database, "load", file)
    # Friday, 5 December 2025: the old version, with a night rate and no season.
    printed = done(tessie, database, "show", "Home", "--at", "2025-12-05")
    assert "Home on Friday, 2025-12-05, in EUR per kWh, by the clock of Europe/Berlin" in printed
    assert "00:00 06:00 0.2199 0.0820 06:00 22:00 0.3299 0.0820 22:00 24:00 0.2199" in printed
    assert "This version, from a file, holds until 2026-01-01." in printed
    # Friday, 2 January 2026: the new one, which is dearer on winter's working days from 17 to 20.
    printed = done(tessie, database, "show", "Home", "--at", "2026-01-02")
    assert "06:00 17:00 0.3499 0.0786 17:00 20:00 0.4190 0.0786 20:00 22:00 0.3499" in printed


def test_on_the_day_that_clocks_change_times_tell_which_clock_they_are_of(
    tessie: Tessie, database: Database, file: Path
) -> None:
    done(tessie, database, "load", file)
    printed = done(tessie, database, "show", "Home", "--at", "2026-10-25")
    assert "00:00 CEST 06:00 CET 0.2349" in printed


def test_a_tariff_of_minutes_tells_the_fee_of_a_session(
    tessie: Tessie, database: Database, file: Path
) -> None:
    done(tessie, database, "load", file)
    printed = done(tessie, database, "show", "Car park")
    assert "in EUR per minute" in printed
    assert "00:00 24:00 0.1200 0.0000" in printed
    assert "holds always. Each session costs 0.5000 besides." in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["Day"], "There is no tariff Day; there is Car park, Home"),
        (["Home", "--at", "tomorrow"], "--at should be a date such as 2026-01-31"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_sentence(
    tessie: Tessie, database: Database, file: Path, arguments: list[str], sentence: str
) -> None:
    done(tessie, database, "load", file)
    assert sentence in refused(tessie, database, "show", *arguments)


def test_a_day_without_a_version_is_said_in_a_sentence(
    tessie: Tessie, database: Database, file: Path
) -> None:
    done(tessie, database, "load", file)
    by_hand(database, "delete from tariffs where valid_from is null and name = 'Home'")
    said = refused(tessie, database, "show", "Home", "--at", "2025-12-31")
    assert "Home has no version for 2025-12-31" in said


def test_a_tariff_is_removed_unless_a_place_has_it(
    tessie: Tessie, database: Database, file: Path
) -> None:
    done(tessie, database, "load", file)
    with database.rows() as connection:
        save_place(connection, Place("House", 52.5, 13.4, tariff_name="Home"))
    assert "Home is the tariff of House" in refused(tessie, database, "remove", "Home")
    with database.rows() as connection:
        save_place(connection, Place("House", 52.5, 13.4))
    printed = done(tessie, database, "remove", "Home")
    assert "Home is removed, 2 version(s)." in printed
    assert FOLLOWS in printed
    assert names(database) == ["Car park"]
