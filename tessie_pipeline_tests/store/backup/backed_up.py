"""A small database with values that are easily lost on the way through a backup."""

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.backup.making import Done, back_up
from tessie_pipeline.store.database import Database

KEY = "5e" * 32
TOKENS = Tokens("the-refresh-token", "the-access-token")
NIGHT = datetime(2026, 11, 21, 3, 20, tzinfo=UTC)

ROWS = (
    "create schema if not exists dagster",
    "create table if not exists dagster.runs (id serial primary key, body text)",
    "truncate dagster.runs",
    "insert into dagster.runs (body) values (E'a \\\\N tab\\there'), (null), ('')",
    "create table energy_states_2026_06_01 partition of energy_states "
    "for values from ('2026-06-01 00:00+00') to ('2026-06-02 00:00+00')",
    "create table energy_states_2026_06_02 partition of energy_states "
    "for values from ('2026-06-02 00:00+00') to ('2026-06-03 00:00+00')",
    "insert into energy_states (site_id, timestamp, solar_power_w, grid_power_w, raw_data) values "
    """('0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a', '2026-06-01 12:00:00.123456+00', 0.1, '-0',
        '{"a": [1.10, "\u00e9"]}'),
    ('0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a', '2026-06-01 12:00:01+00', 0.30000000000000004,
        1e-300, '{}'),
    ('0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a', '2026-06-02 12:00:00+00', 'nan',
        1.7976931348623157e308, '{}')""",
)


def fill(database: Database) -> None:
    """Store an account, samples in two partitions, and rows of Dagster."""
    SealedTokens(database, KEY).save(TOKENS)
    with database.rows() as connection:
        for statement in ROWS:
            connection.exec_driver_sql(statement)


def backed_up(
    database: Database, directory: Path, *, night: int = 0, verifies: bool = True
) -> Done:
    """A backup that is made some nights after `NIGHT`."""
    now = NIGHT.replace(day=NIGHT.day + night)
    archive = str(directory.parent / "archive")
    return back_up(database, directory, archive, lambda: now, verifies=verifies)


def scratches(database: Database) -> list[str]:
    """The scratch databases of the server."""
    query = sa.text("select datname from pg_database where starts_with(datname, 'tessie_scratch_')")
    with database.rows() as connection:
        return list(connection.scalars(query))
