"""Days in which our own computation is broken: they stop what follows until it is mended."""

from collections.abc import Iterator

import polars as pl
import pytest

from tessie_pipeline.domain.live_intervals import intervals_from_samples
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.orchestration.test_energy_checks import failed, materialized
from tessie_pipeline_tests.orchestration.two_homes import Home, register, samples, two_homes


@pytest.fixture
def home(database: Database) -> Iterator[Home]:
    register(database)
    with two_homes(database) as home:
        yield home


def test_an_error_is_found_again_by_each_run_until_it_is_mended(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sensor asks again once the failed run is a while ago, which is left out here."""
    package = "tessie_pipeline.orchestration"
    monkeypatch.setattr(f"{package}.changed_days.reason_to_wait", lambda *_: None)
    more = pl.col("solar_to_home_wh") + 500
    home.add(samples())
    with monkeypatch.context() as broken:
        broken.setattr(
            f"{package}.intervals.intervals_from_samples",
            lambda found: intervals_from_samples(found).with_columns(more),
        )
        for _ in range(2):
            requests = home.look()
            assert not isinstance(requests, str)
            result = home.run(requests[0])
            assert ("energy_intervals", "flows_add_up") in failed(result)
            assert "energy_daily" not in materialized(result)
    assert home.read("select count(*) from energy_daily").item() == 0

    home.settle()
    assert home.read("select count(*) from energy_daily").item() > 0
