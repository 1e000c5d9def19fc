"""Homes for the tests of the embedded Postgres."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def home_of_all() -> Iterator[Path]:
    """A home outside pytest's own directory, whose permissions another run of pytest changes."""
    with TemporaryDirectory(prefix="tessie-tests-") as directory:
        home = Path(directory) / "it's a $HOME"
        with EmbeddedPostgres(home, durable=False).running():
            pass
        yield home


@pytest.fixture
def home(home_of_all: Path) -> Iterator[Path]:
    """A home with a stopped server, which other tests used before."""
    yield home_of_all
    EmbeddedPostgres(home_of_all).stop()


@pytest.fixture
def restored_home(home_of_all: Path, tmp_path: Path) -> Iterator[Path]:
    """A home of one test's own; its files are a copy, as after the restore of a backup."""
    home = tmp_path / "restored"
    shutil.copytree(home_of_all, home)
    yield home
    EmbeddedPostgres(home).stop()


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """An empty home."""
    yield tmp_path
    EmbeddedPostgres(tmp_path).stop()
