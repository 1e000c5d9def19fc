"""The `tessie` command as a person runs it, in a home of its own."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tessie_pipeline.cli import main
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres

SCRIPT = "import sys; from tessie_pipeline.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Result:
    """What a command printed, and how it ended; runs of white space are one space."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Tessie:
    """The command in one home, with no other setting in its environment."""

    home: Path

    def environment(self, **variables: str) -> dict[str, str]:
        """This process's environment without any setting of the project but the home."""
        ours = ("TESSIE_", "TESLA_", "DATABASE_URL", "ENCRYPTION_KEY", "LOG_LEVEL", "DAGSTER_HOME")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return clean | {"TESSIE_HOME": str(self.home), "COLUMNS": "100"} | variables

    def __call__(self, *arguments: str, **variables: str) -> Result:
        """Run a command to its end, in this process."""
        out, err = io.StringIO(), io.StringIO()
        handlers = [
            (number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)
        ]
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in os.environ.keys() - self.environment().keys():
                patch.delenv(name)
            for name, value in self.environment(**variables).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["tessie", *arguments])
            try:
                main()
                code = 0
            except SystemExit as leaving:
                code = int(leaving.code or 0)
            finally:
                for number, handler in handlers:
                    signal.signal(number, handler)
        return Result(code, " ".join(out.getvalue().split()), " ".join(err.getvalue().split()))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture(scope="module")
def tessie() -> Iterator[Tessie]:
    """The command in a new home, which the tests of a module share in their order."""
    with TemporaryDirectory(prefix="tessie-tests-") as home:
        yield Tessie(Path(home))
        EmbeddedPostgres(Path(home)).stop()
