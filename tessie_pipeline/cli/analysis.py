"""`tessie sql` and `tessie export`: the archive and Postgres as one, for people who know SQL."""

import csv
import os
import readline
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import date
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tessie_pipeline.cli.account import say
from tessie_pipeline.cli.environment import CliError, Environment, embedded_postgres
from tessie_pipeline.store.analysis.export import ExportError, export
from tessie_pipeline.store.analysis.statements import Analysis, AnalysisError, Answer, analysis
from tessie_pipeline.store.archive.parquet import Archive, ArchiveError
from tessie_pipeline.store.shared_files import open_file

ROW_LIMIT = 100
"""Rows that are shown; CSV has them all."""

_PROMPT, _GOES_ON = "sql> ", "  -> "
_LEAST_WIDTH = 8
"""Of a column, in characters; where that does not fit, columns are shown as lines."""


def answer(console: Console, environment: Environment, text: str, *, is_csv: bool) -> None:
    """Print the answers to the statements in `text`.

    Raises:
        CliError: one cannot be answered.
    """
    with _analysis(environment) as sql:
        _answer(console, sql, text, is_csv=is_csv)


def ask(console: Console, environment: Environment, *, is_csv: bool) -> None:
    """Read statements until the end of input, each up to its `;`, and print their answers."""
    is_person = sys.stdin.isatty() and sys.stdout.isatty()
    history = _history(environment.settings.home / "sql_history") if is_person else nullcontext()
    with _analysis(environment) as sql, history:
        if is_person:
            say(
                console,
                "A statement ends with ; and Ctrl-D leaves. `show tables;` tells what is there.",
            )
        for text in _statements(is_person=is_person):
            try:
                _answer(console, sql, text, is_csv=is_csv)
            except CliError as error:
                if not is_person:
                    raise
                say(console, str(error), style="red")
            except KeyboardInterrupt:
                say(console, "Interrupted.", style="red")


def write(
    console: Console,
    environment: Environment,
    start: date,
    end: date,
    target: Path,
    *,
    has_raw: bool,
) -> None:
    """Export the days in start <= day < end, and print what there is of each table.

    Raises:
        CliError: that is no day, or they cannot be exported.
    """
    if start >= end:
        raise CliError("--to should be a day after --from: it is the first one that is left out")
    settings = environment.settings
    try:
        exported = export(
            Archive(settings.archive), _url(environment), target, start, end, has_raw=has_raw
        )
    except (ArchiveError, ExportError) as error:
        raise CliError(str(error)) from None
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("bytes", justify="right")
    for one in exported:
        table.add_row(one.table, f"{one.rows:,}", f"{one.bytes:,}")
    console.print(table)
    say(console, f"{start} up to, and without, {end} (UTC) is in {target}.")


@contextmanager
def _analysis(environment: Environment) -> Iterator[Analysis]:
    try:
        with analysis(Archive(environment.settings.archive), _url(environment)) as sql:
            yield sql
    except (ArchiveError, AnalysisError) as error:
        raise CliError(str(error)) from None


def _url(environment: Environment) -> str:
    """The database for somebody who only reads, where the server is ours."""
    postgres = embedded_postgres(environment.settings)
    return environment.database.url() if postgres is None else postgres.reader_url


def _answer(console: Console, sql: Analysis, text: str, *, is_csv: bool) -> None:
    try:
        for statement in sql.statements(text):
            # One more than is shown tells whether there are more.
            with sql.answer(statement, None if is_csv else ROW_LIMIT + 1) as found:
                if is_csv:
                    _print_csv(found)
                else:
                    _show(console, found)
    except (ArchiveError, AnalysisError) as error:
        raise CliError(str(error)) from None


def _print_csv(found: Answer) -> None:
    try:
        csv.writer(sys.stdout, lineterminator="\n").writerow(found.columns)
        for part in found.parts:
            sys.stdout.write(part.write_csv(include_header=False))
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has enough, as `head` does; what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(console: Console, found: Answer) -> None:
    rows = [row for part in found.parts for row in part.iter_rows()]
    shown = rows[:ROW_LIMIT]
    if len(found.columns) * _LEAST_WIDTH > console.width:
        for row in shown:
            console.print(_as_lines(found, row))
    else:
        console.print(_as_table(found, shown))
    if len(rows) > ROW_LIMIT:
        say(console, f"These are the first {ROW_LIMIT} rows; --csv gives them all.")
    else:
        say(console, f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}")


def _as_table(found: Answer, rows: Sequence[Sequence[str | None]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading, is_number in zip(found.columns, found.are_numbers, strict=True):
        table.add_column(Text(heading), justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*map(_cell, row))
    return table


def _as_lines(found: Answer, row: Sequence[str | None]) -> Table:
    """A row as a line per column, for rows that are too wide to stand side by side."""
    table = Table(box=box.SIMPLE, show_header=False)
    for heading, value in zip(found.columns, row, strict=True):
        table.add_row(Text(heading, style="bold"), _cell(value))
    return table


def _cell(value: str | None) -> Text:
    return Text("null", style="dim") if value is None else Text(value)


def _statements(*, is_person: bool) -> Iterator[str]:
    """What is typed, up to each `;` at the end of a line; a file need not end with one."""
    text = ""
    while True:
        prompt = _GOES_ON if text else _PROMPT
        try:
            line = input(prompt if is_person else "")
        except EOFError:
            break
        except KeyboardInterrupt:  # as in every shell, that drops the line
            print()
            text = ""
            continue
        text = f"{text}{line}\n".lstrip()
        if text.rstrip().endswith(";"):
            yield text
            text = ""
    if is_person:
        print()
    elif text:
        yield text


@contextmanager
def _history(file: Path) -> Iterator[None]:
    """Lets a person go back to what was typed, in earlier sessions too."""
    os.close(open_file(file, os.O_RDWR, 0o600))
    with suppress(OSError):  # of another program's format
        readline.read_history_file(file)
    readline.set_history_length(1000)
    try:
        yield
    finally:
        readline.write_history_file(file)
