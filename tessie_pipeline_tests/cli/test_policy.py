"""`tessie policy`: which policy charges follow, and another one."""

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.attribution_policies import POLICIES
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables import user_config
from tessie_pipeline_tests.cli.conftest import Result, Tessie


@pytest.fixture
def household(database: Database) -> Database:
    """A database with an account."""
    with database.rows() as rows:
        rows.execute(sa.insert(user_config).values(settings={"region": "EU"}))
    return database


def run(tessie: Tessie, database: Database, *arguments: str) -> Result:
    return tessie("policy", *arguments, DATABASE_URL=database.url())


def store(database: Database, policy: str) -> None:
    with database.rows() as rows:
        rows.execute(sa.update(user_config).values(settings={"attribution_policy": policy}))


def test_all_policies_are_shown_with_the_one_that_is_followed(
    tessie: Tessie, household: Database
) -> None:
    shown = run(tessie, household).stdout
    assert all(policy in shown for policy in POLICIES)
    assert "* proportional" in shown
    assert shown.count("* ") == 2, "one and what it means"


def test_the_one_that_is_chosen_is_followed_from_then_on(
    tessie: Tessie, household: Database
) -> None:
    assert run(tessie, household, "ev_last").returncode == 0
    assert "* ev_last" in run(tessie, household).stdout
    with household.rows() as rows:
        settings = rows.scalar(sa.select(user_config.c.settings))
    assert settings == {"region": "EU", "attribution_policy": "ev_last"}


def test_one_that_there_is_not_is_refused_with_those_that_there_are(
    tessie: Tessie, household: Database
) -> None:
    run(tessie, household, "ev_last")
    refused = run(tessie, household, "greenest")
    assert refused.returncode == 1
    assert all(policy in refused.stderr for policy in POLICIES)
    assert "* ev_last" in run(tessie, household).stdout


def test_one_that_is_stored_and_unknown_is_told(tessie: Tessie, household: Database) -> None:
    store(household, "greenest")
    shown = run(tessie, household).stdout
    assert "none of them: greenest" in shown
    assert "* proportional" in shown


def test_without_an_account_it_says_what_to_do(tessie: Tessie, database: Database) -> None:
    assert "* proportional" in run(tessie, database).stdout
    refused = run(tessie, database, "ev_last")
    assert refused.returncode == 1
    assert "log in first" in refused.stderr
