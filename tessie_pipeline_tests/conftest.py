"""What every test may ask for: a Postgres server of the session, and a database of its own."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import settings as hypothesis_settings

from tessie_pipeline.store import migrations
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres

# How long an example takes says nothing on a busy machine. A change is judged on the same examples
# each time; `make fuzz` looks for others.
hypothesis_settings.register_profile("new", deadline=None)
hypothesis_settings.register_profile("same", deadline=None, derandomize=True)
hypothesis_settings.load_profile("same")

LONGEST = (
    "cli/test_up.py",
    "cli/test_demo.py",
    "orchestration/test_dagster_rows.py",
    "orchestration/test_changed_days.py",
    "orchestration/test_conservation.py",
    "store/backup/test_kills.py",
    "store/retention/test_retiring.py",
    "orchestration/test_gaps.py",
    "orchestration/test_retention.py",
    "cli/test_retention.py",
    "domain/test_downsample_properties.py",
    "store/backup/test_restoring.py",
    "store/backup/test_making.py",
    "orchestration/test_vehicle_history.py",
    "orchestration/test_bills.py",
    "orchestration/test_energy_days.py",
    "orchestration/test_energy_faults.py",
    "orchestration/test_live_states.py",
    "orchestration/test_soak.py",
    "domain/test_live_intervals.py",
    "tesla/test_renewals.py",
    "orchestration/test_derivation.py",
    "orchestration/test_energy_checks.py",
    "domain/test_charging_properties.py",
    "orchestration/test_kills.py",
    "cli/test_key_rotation.py",
)
"""The files that take longest, in the order in which they are begun, so that no worker is left
with one of them when all else is done."""

TEMPLATE = "migrated"
_numbers = count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session")
def server_url() -> Iterator[sa.URL]:
    """The owner's URL of an embedded Postgres that runs while the tests do.

    Its home is outside pytest's own directory, from which another run takes the search permission
    that the server, as another user, depends on.
    """
    with (
        TemporaryDirectory(prefix="tessie-tests-") as home,
        EmbeddedPostgres(Path(home), durable=False).running() as url,
    ):
        yield sa.make_url(url)


@pytest.fixture(scope="session")
def template(server_url: sa.URL) -> str:
    """Name of a migrated, empty database to copy."""
    _execute(server_url, f"create database {TEMPLATE}")
    database = Database(_url(server_url, TEMPLATE))
    migrations.upgrade(database)
    database.dispose()
    return TEMPLATE


@pytest.fixture
def database(server_url: sa.URL, template: str) -> Iterator[Database]:
    """A migrated, empty database of the test's own."""
    yield from new_database(server_url, f"template {template}")


@pytest.fixture
def bare_database(server_url: sa.URL) -> Iterator[Database]:
    """A database of the test's own, without any table."""
    yield from new_database(server_url, "")


def new_database(server_url: sa.URL, options: str) -> Iterator[Database]:
    """A database that is dropped when the iterator is closed.

    To copy a template's files takes less than half of what writing them to the log would.
    """
    name = f"test_{next(_numbers)}"
    _execute(server_url, f"create database {name} {options} strategy file_copy")
    database = Database(_url(server_url, name))
    yield database
    database.dispose()
    _execute(server_url, f"drop database {name}")


def _url(server_url: sa.URL, name: str) -> str:
    return server_url.set(database=name).render_as_string(hide_password=False)


def _execute(server_url: sa.URL, statement: str) -> None:
    engine = sa.create_engine(
        server_url.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
