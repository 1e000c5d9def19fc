"""The server's data, settings and log."""

from pathlib import Path

import psycopg2
import pytest

from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from tessie_pipeline_tests.store.embedded.programs import (
    sql,
)


def test_data_of_another_release_is_refused_with_the_way_out(restored_home: Path) -> None:
    (restored_home / "postgres" / "data" / "PG_VERSION").write_text("16\n")
    with (
        pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 16.*PostgreSQL 18.*[Dd]ump"),
        EmbeddedPostgres(restored_home).running(),
    ):
        pass


def test_a_server_that_cannot_start_says_why(restored_home: Path) -> None:
    (restored_home / "postgres" / "custom.conf").write_text("shared_buffers = 'much'\n")
    with (
        pytest.raises(EmbeddedPostgresError, match=r"(?s)DATABASE_URL.*shared_buffers"),
        EmbeddedPostgres(restored_home).running(),
    ):
        pass
    (restored_home / "postgres" / "custom.conf").write_text("shared_buffers = '16MB'\n")
    with EmbeddedPostgres(restored_home).running() as url:
        assert sql(url, "SHOW shared_buffers") == [("16MB",)]


def test_the_log_holds_no_values_from_failing_statements(home: Path) -> None:
    with EmbeddedPostgres(home, durable=False).running() as url:
        sql(url, "CREATE TABLE tokens (token text PRIMARY KEY)")
        with pytest.raises(psycopg2.errors.UniqueViolation):
            sql(url, "INSERT INTO tokens VALUES ('hush-hush'), ('hush-hush')")
    log = (home / "postgres" / "log").read_text()
    assert "duplicate key" in log
    assert "hush-hush" not in log


def test_a_log_that_has_grown_is_put_aside(home: Path) -> None:
    log = home / "postgres" / "log"
    log.write_bytes(b"x" * (10 * 1024**2 + 1))
    with EmbeddedPostgres(home, durable=False).running():
        assert log.stat().st_size < 100_000
    assert (home / "postgres" / "log.1").stat().st_size > 10 * 1024**2
