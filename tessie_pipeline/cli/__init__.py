"""The `tessie` command: thin commands over the layers below, one module per errand."""

import signal
import sys
from types import FrameType

import sqlalchemy as sa
from rich.console import Console

from tessie_pipeline.cli.commands import app
from tessie_pipeline.cli.environment import CliError
from tessie_pipeline.settings import SettingsError
from tessie_pipeline.store.accounts import NoAccountError
from tessie_pipeline.store.archive.parquet import ArchiveError
from tessie_pipeline.store.backup.files import BackupError
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgresError
from tessie_pipeline.store.migrations import MigrationError
from tessie_pipeline.store.sealing import SealError
from tessie_pipeline.tesla.errors import FleetApiError

__all__ = ["main"]

ASK_AGAIN_S = 0.5

_SAID_IN_A_SENTENCE = (
    CliError,
    SettingsError,
    EmbeddedPostgresError,
    NoAccountError,
    SealError,
    FleetApiError,
    MigrationError,
    ArchiveError,
    BackupError,
    TimeoutError,
)


def main() -> None:
    """Run the command; what a person can mend is said in a sentence, without a traceback."""
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _leave)
    # A shell starts background jobs with SIGINT ignored, which Dagster would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app()
    except _SAID_IN_A_SENTENCE as error:
        _say(str(error))
    except sa.exc.OperationalError as error:
        _say(f"Postgres does not answer: {error.orig}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _say(sentence: str) -> None:
    Console(stderr=True).print(sentence, style="red", markup=False, highlight=False)
    sys.exit(1)


def _leave(_: int, __: FrameType | None) -> None:
    """Leave through every `finally`, so that servers are stopped on SIGTERM as on Ctrl-C.

    Python drops an exception that is raised while it runs a callback of its own, so an alarm asks
    again and again; while the exception is on its way, that changes nothing.
    """
    under_way = sys.exception()
    while under_way is not None and not isinstance(under_way, SystemExit):
        under_way = under_way.__context__
    if under_way is None:
        signal.setitimer(signal.ITIMER_REAL, ASK_AGAIN_S, ASK_AGAIN_S)
        sys.exit(128 + signal.SIGTERM)
