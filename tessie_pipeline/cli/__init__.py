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
from tessie_pipeline.store.embedded import EmbeddedPostgresError
from tessie_pipeline.store.sealing import SealError
from tessie_pipeline.tesla.errors import FleetApiError

__all__ = ["main"]

_SAID_IN_A_SENTENCE = (
    CliError,
    SettingsError,
    EmbeddedPostgresError,
    NoAccountError,
    SealError,
    FleetApiError,
)


def main() -> None:
    """Run the command; what a person can mend is said in a sentence, without a traceback."""
    signal.signal(signal.SIGTERM, _leave)
    # A shell starts background jobs with SIGINT ignored, which Dagster would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app()
    except _SAID_IN_A_SENTENCE as error:
        _say(str(error))
    except sa.exc.OperationalError as error:
        _say(f"Postgres does not answer: {error.orig}")


def _say(sentence: str) -> None:
    Console(stderr=True).print(sentence, style="red", markup=False, highlight=False)
    sys.exit(1)


def _leave(number: int, _: FrameType | None) -> None:
    """Leave through every `finally`, so that servers are stopped on SIGTERM as on Ctrl-C."""
    sys.exit(128 + number)
