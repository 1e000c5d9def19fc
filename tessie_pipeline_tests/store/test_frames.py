"""Frames in and out of Postgres. Plain SQL is the judge of both directions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from threading import Event, Timer
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import ahead, copy_in, execute, read_frame, stage
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.tables.drives import drivers
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.store.conftest import count_rows

AWKWARD = """Jürgen's "Módèl" 🚗 100 % \\ :name $1 %(x)s {y}\n\tend"""


@dataclass(frozen=True)
class Kind:
    """A type of column: in SQL, in a frame, and two values as a frame has them and as SQL text."""

    in_sql: sa.types.TypeEngine[Any]
    in_frame: pl.DataType
    values: list[Any]
    texts: list[str]


SAME_TEXTS = [AWKWARD, ""]
JSON_TEXTS = ['{"b":  1, "a": "it\'s \\"ü\\" 🚗 \\u00e9"}', "[]"]
JSONB_TEXTS = ['{"a": "it\'s \\"ü\\" 🚗 \\\\", "b": 1.50}', "null"]
KINDS = {
    "a_uuid": Kind(
        sa.Uuid(),
        pl.String(),
        ["00000000000000000000000000000000", "0123456789abcdef0123456789abcdef"],
        ["00000000-0000-0000-0000-000000000000", "01234567-89ab-cdef-0123-456789abcdef"],
    ),
    "a_time": Kind(
        sa.DateTime(timezone=True),
        pl.Datetime("us", "UTC"),
        [
            datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=UTC),
        ],
        ["1969-12-31 23:59:59.999999+00", "2024-02-29 12:00:00.000001+00"],
    ),
    "a_date": Kind(
        sa.Date(),
        pl.Date(),
        [date(1999, 12, 31), date(2024, 2, 29)],
        ["1999-12-31", "2024-02-29"],
    ),
    "an_hour": Kind(
        sa.Time(),
        pl.Time(),
        [time(0, 0), time(23, 59, 59, 999999)],
        ["00:00:00", "23:59:59.999999"],
    ),
    "a_small": Kind(sa.SmallInteger(), pl.Int16(), [-32768, 32767], ["-32768", "32767"]),
    "a_whole": Kind(sa.Integer(), pl.Int32(), [-(2**31), 7], ["-2147483648", "7"]),
    "a_big": Kind(sa.BigInteger(), pl.Int64(), [-(2**63), 7], ["-9223372036854775808", "7"]),
    "a_double": Kind(
        sa.Double(),
        pl.Float64(),
        [0.1 + 0.2, -2.2250738585072014e-308],
        ["0.30000000000000004", "-2.2250738585072014e-308"],
    ),
    "a_flag": Kind(sa.Boolean(), pl.Boolean(), [True, False], ["true", "false"]),
    "a_text": Kind(sa.Text(), pl.String(), SAME_TEXTS, SAME_TEXTS),
    "a_word": Kind(
        sa.String(17), pl.String(), ["5YJ3E1EA7KF000001"] * 2, ["5YJ3E1EA7KF000001"] * 2
    ),
    "a_json": Kind(sa.JSON(), pl.String(), JSON_TEXTS, JSON_TEXTS),
    "a_jsonb": Kind(pg.JSONB(), pl.String(), JSONB_TEXTS, JSONB_TEXTS),
}
TABLE = sa.Table(
    "of_all_kinds",
    sa.MetaData(),
    *(sa.Column(name, kind.in_sql) for name, kind in KINDS.items()),
)
SCHEMA = pl.Schema({name: kind.in_frame for name, kind in KINDS.items()})
FRAME = pl.DataFrame({name: kind.values for name, kind in KINDS.items()}, SCHEMA)
IN_SQL = list(zip(*(kind.texts for kind in KINDS.values()), strict=True))


@pytest.fixture(scope="module")
def kinds_of_all(server_url: sa.URL) -> Iterator[Database]:
    for database in new_database(server_url, ""):
        with database.rows() as rows:
            TABLE.create(rows)
        yield database


@pytest.fixture
def kinds_database(kinds_of_all: Database) -> Database:
    """A database with the table of all kinds, empty; made once since that takes long."""
    with kinds_of_all.rows() as rows:
        rows.execute(sa.delete(TABLE))
    return kinds_of_all


def as_text(database: Database) -> list[tuple[str | None, ...]]:
    columns = [sa.cast(column, sa.Text) for column in TABLE.c]
    with database.rows() as rows:
        return [tuple(row) for row in rows.execute(sa.select(*columns))]


def test_every_type_of_column_in_the_tables_is_tried_here() -> None:
    used = {type(column.type) for table in metadata.sorted_tables for column in table.c}
    # Secrets and ages never travel in frames; numbers with a fixed point have their own test.
    elsewhere = {sa.LargeBinary, pg.INTERVAL, sa.Numeric}
    assert used - elsewhere <= {type(kind.in_sql) for kind in KINDS.values()}


def test_sql_finds_what_a_frame_brought(kinds_database: Database) -> None:
    with kinds_database.frames() as connection:
        assert copy_in(connection, TABLE, FRAME) == 2
    assert as_text(kinds_database) == IN_SQL


def test_a_frame_finds_what_sql_brought(kinds_database: Database) -> None:
    values = ", ".join(
        f"cast(:{column.name} as {column.type.compile(pg.dialect())})"  # type: ignore[no-untyped-call]
        for column in TABLE.c
    )
    with kinds_database.rows() as rows:
        for texts in IN_SQL:
            rows.execute(
                sa.text(f"insert into of_all_kinds values ({values})"),  # noqa: S608
                dict(zip(TABLE.c.keys(), texts, strict=True)),
            )
    with kinds_database.frames() as connection:
        stored = read_frame(connection, sa.select(TABLE))
    assert stored.schema == SCHEMA
    assert stored.rows() == FRAME.rows()


def test_nulls_in_every_column_go_in_and_come_out(kinds_database: Database) -> None:
    nulls = pl.DataFrame([{name: None for name in SCHEMA}], SCHEMA)
    with kinds_database.frames() as connection:
        assert copy_in(connection, TABLE, nulls) == 1
        stored = read_frame(connection, sa.select(TABLE))
    assert as_text(kinds_database) == [(None,) * len(KINDS)]
    assert stored.schema == SCHEMA
    assert stored.rows() == [(None,) * len(KINDS)]


def test_an_empty_frame_adds_nothing_and_an_empty_answer_has_its_types(
    kinds_database: Database,
) -> None:
    with kinds_database.frames() as connection:
        assert copy_in(connection, TABLE, FRAME.clear()) == 0
        stored = read_frame(connection, sa.select(TABLE))
    assert stored.is_empty()
    assert stored.schema == SCHEMA


def test_doubles_that_are_no_numbers_go_in_and_come_out(kinds_database: Database) -> None:
    frame = pl.DataFrame({"a_double": [float("nan"), float("inf"), float("-inf")]})
    with kinds_database.frames() as connection:
        copy_in(connection, TABLE, frame)
        stored = read_frame(connection, "select a_double::text from of_all_kinds")
    assert stored["a_double"].to_list() == ["NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize("kind", [pl.Int64(), pl.Int16(), pl.Float32(), pl.UInt32()], ids=str)
def test_numbers_of_another_type_keep_their_value_in_a_double(
    kinds_database: Database, kind: pl.DataType
) -> None:
    frame = pl.DataFrame({"a_double": [3, None]}, {"a_double": kind})
    with kinds_database.frames() as connection:
        copy_in(connection, TABLE, frame)
    with kinds_database.rows() as rows:
        assert rows.scalars(sa.text("select a_double from of_all_kinds")).all() == [3.0, None]


def test_jsonb_is_json_to_postgres(kinds_database: Database) -> None:
    frame = pl.DataFrame({"a_jsonb": ['{"name": "J\\u00fcrgen\'s \\"car\\"", "soc": 81.50}']})
    with kinds_database.frames() as connection:
        copy_in(connection, TABLE, frame)
    with kinds_database.rows() as rows:
        query = "select a_jsonb ->> 'name', (a_jsonb ->> 'soc')::float8 from of_all_kinds"
        assert rows.execute(sa.text(query)).one() == ('Jürgen\'s "car"', 81.5)


def test_money_goes_in_as_decimals_and_comes_out_as_the_schema_says(
    kinds_database: Database,
) -> None:
    table = sa.Table("costs", sa.MetaData(), sa.Column("cost", sa.Numeric(12, 4)))
    costs = [Decimal("12345678.9012"), Decimal("-0.0001"), None]
    schema = pl.Schema({"cost": pl.Decimal(12, 4)})
    with kinds_database.rows() as rows:
        table.create(rows)
    with kinds_database.frames() as connection:
        copy_in(connection, table, pl.DataFrame({"cost": costs}, schema))
        stored = read_frame(connection, sa.select(table), schema)
    with kinds_database.rows() as rows:
        assert rows.scalars(sa.text("select cost from costs")).all() == costs
    assert stored["cost"].to_list() == costs
    assert stored.schema == schema


@pytest.mark.parametrize(
    "wrong", ["0123", "01234567-89ab-cdef-0123-456789abcdef", "x" * 32], ids=["short", "-", "x"]
)
def test_an_id_that_is_not_32_hexadecimal_digits_is_refused(
    kinds_database: Database, wrong: str
) -> None:
    with (
        pytest.raises((pl.exceptions.PolarsError, adbc.Error)),
        kinds_database.frames() as connection,
    ):
        copy_in(connection, TABLE, pl.DataFrame({"a_uuid": [wrong]}))
    assert as_text(kinds_database) == []


def test_columns_that_a_frame_lacks_get_their_defaults(database: Database) -> None:
    before = datetime.now(UTC)
    with database.frames() as connection:
        copy_in(connection, drivers, pl.DataFrame({"name": ["Ann", "Bob"]}))
    with database.rows() as rows:
        ann, bob = rows.execute(sa.select(drivers).order_by("name")).all()
    assert isinstance(ann.id, UUID)
    assert ann.id != bob.id
    assert ann.is_primary is False
    assert ann.profile_id is None
    assert (ann.created_at - before).total_seconds() == pytest.approx(0, abs=60)


def test_the_order_of_a_frames_columns_does_not_matter(kinds_database: Database) -> None:
    with kinds_database.frames() as connection:
        copy_in(connection, TABLE, FRAME.select(reversed(FRAME.columns)))
    assert as_text(kinds_database) == IN_SQL


def test_a_key_that_exists_fails_the_whole_transaction(database: Database) -> None:
    def add_a_site_twice() -> None:
        with database.frames() as connection:
            copy_in(connection, tables.energy_sites, pl.DataFrame({"tesla_site_id": [1, 2]}))
            copy_in(connection, tables.energy_sites, pl.DataFrame({"tesla_site_id": [2]}))

    with pytest.raises(adbc.IntegrityError, match="site_id"):
        add_a_site_twice()
    assert count_rows(database, tables.energy_sites) == 0


def test_reading_by_a_schema_gives_its_columns_in_its_order_and_types(
    kinds_database: Database,
) -> None:
    schema = pl.Schema({"b": pl.Float64(), "a": pl.Int16()})
    with kinds_database.frames() as connection:
        stored = read_frame(connection, "select 1 as a, 2 as b, 3 as c", schema)
        with pytest.raises(pl.exceptions.ColumnNotFoundError):
            read_frame(connection, "select 1 as a", schema)
    assert stored.schema == schema
    assert stored.rows() == [(2.0, 1)]


@pytest.mark.parametrize("value", [AWKWARD, "'; drop table of_all_kinds; --", "\\'", ""])
def test_values_in_a_query_mean_themselves(kinds_database: Database, value: str) -> None:
    with kinds_database.frames() as connection:
        copy_in(connection, TABLE, pl.DataFrame({"a_text": [value, "another"]}))
        query = sa.select(TABLE.c.a_text).where(TABLE.c.a_text == value)
        assert read_frame(connection, query).rows() == [(value,)]


def test_a_statement_tells_how_many_rows_it_touched(kinds_database: Database) -> None:
    with kinds_database.frames() as connection:
        copy_in(connection, TABLE, FRAME)
        assert execute(connection, sa.delete(TABLE)) == 2
        assert execute(connection, sa.delete(TABLE)) == 0


def test_a_staged_table_is_replaced_by_the_next_and_ends_with_the_transaction(
    kinds_database: Database,
) -> None:
    staged = TABLE.to_metadata(sa.MetaData(), name="staged")
    with kinds_database.frames() as connection:
        stage(connection, staged, FRAME)
        assert read_frame(connection, sa.select(staged)).rows() == FRAME.rows()
        stage(connection, staged, FRAME.head(1))
        assert read_frame(connection, sa.select(staged)).rows() == FRAME.rows()[:1]
        stage(connection, staged, FRAME.clear())
        assert read_frame(connection, sa.select(staged)).is_empty()
        copy_in(connection, TABLE, FRAME)
        connection.commit()
        assert read_frame(connection, "select to_regclass('staged')::text as t")["t"].item() is None
    assert as_text(kinds_database) == IN_SQL


def wait_until(is_so: Callable[[], bool]) -> None:
    until = monotonic() + 10
    while not is_so():
        assert monotonic() < until
        sleep(0.001)


def test_parts_come_in_order_with_the_next_one_read_ahead() -> None:
    read: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(1, 4):
            read.append(number)
            yield number

    told = ahead(parts())
    assert next(told) == [1]
    wait_until(lambda: read == [1, 2])
    assert list(told) == [[2], [3]]


def test_parts_that_came_meanwhile_come_together() -> None:
    read: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(1, 10):
            read.append(number)
            yield number

    told = ahead(parts(), most=4)
    first = next(told)
    wait_until(lambda: len(read) == len(first) + 4)
    second = next(told)
    assert len(second) in (3, 4), "the last one may still be on its way here"
    assert [*first, *second, *(part for rest in told for part in rest)] == list(range(1, 10))


def test_who_stops_lets_no_more_be_read() -> None:
    read: list[int] = []
    goes_on = Event()

    def parts() -> Iterator[int]:
        for number in range(1, 10):
            read.append(number)
            if number > 1:
                goes_on.wait(10)
            yield number

    told = ahead(parts(), most=4)
    assert next(told) == [1]
    wait_until(lambda: read == [1, 2])
    Timer(0.1, goes_on.set).start()
    told.close()
    assert read == [1, 2], "only what was being read already"


def test_what_fails_while_reading_ahead_is_told() -> None:
    def parts() -> Iterator[int]:
        yield 1
        raise OSError("the server is gone")

    told = ahead(parts())
    assert next(told) == [1]
    with pytest.raises(OSError, match="the server is gone"):
        next(told)
