"""A person's SQL over the archive and Postgres: statements that only read, and their answers.

Not here: how both come together (`connection`), and how answers are shown (the CLI).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import polars as pl

from tessie_pipeline.store.analysis.connection import AnalysisConnection, analysis_connection
from tessie_pipeline.store.archive.parquet import Archive

BATCH_ROWS = 10_000
"""Rows of an answer that are in memory at a time."""

_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?", re.IGNORECASE)


class AnalysisError(Exception):
    """A statement cannot be answered; the message says why."""


@dataclass(frozen=True)
class Answer:
    """The rows of a statement, as DuckDB writes their values.

    Attributes:
        columns: their headings.
        are_numbers: which columns hold numbers.
        parts: the rows in their order, some at a time; null is null.
    """

    columns: Sequence[str]
    are_numbers: Sequence[bool]
    parts: Iterator[pl.DataFrame]


class Analysis:
    """Answers statements."""

    def __init__(self, connection: AnalysisConnection) -> None:
        """Take the connection."""
        self._connection = connection

    def statements(self, text: str) -> list[str]:
        """The statements in a text.

        Raises:
            AnalysisError: it is no SQL, or one of them does more than read.
        """
        with _saying():
            statements = self._connection.duck.extract_statements(text)
            if not all(self._reads(statement) for statement in statements):
                raise AnalysisError(
                    "tessie sql only reads: it takes SELECT, FROM, WITH, DESCRIBE, SUMMARIZE, SHOW "
                    "and EXPLAIN"
                )
        return [statement.query for statement in statements]

    @contextmanager
    def answer(self, statement: str, limit: int | None = None) -> Iterator[Answer]:
        """The answer to one of `statements`, to be read within the block.

        Args:
            statement: what is asked.
            limit: how many rows at most; all if None.

        Raises:
            AnalysisError: it cannot be answered.
        """
        with _saying(), self._connection.transaction() as duck:
            rows = duck.sql(statement)
            texts = rows.project("columns(*)::varchar")
            texts = texts if limit is None else texts.limit(limit)
            are_numbers = [kind.id in _NUMBERS for kind in rows.types]
            yield Answer(rows.columns, are_numbers, _parts(texts))

    def _reads(self, statement: duckdb.Statement) -> bool:
        """Whether it only reads; COPY can write where the archive is, also within an EXPLAIN."""
        if statement.type == duckdb.StatementType.EXPLAIN:
            explained = _EXPLAIN.sub("", statement.query, count=1)
            (statement,) = self._connection.duck.extract_statements(explained)
        return statement.type == duckdb.StatementType.SELECT


_NUMBERS = {
    *("tinyint", "smallint", "integer", "bigint", "hugeint"),
    *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint", "float", "double", "decimal"),
}


@contextmanager
def analysis(archive: Archive, url: str) -> Iterator[Analysis]:
    """SQL over an archive and a Postgres, as the role in its URL.

    Raises:
        AnalysisError: Postgres does not answer.
    """
    with _saying(), analysis_connection(archive, url) as connection:
        yield Analysis(connection)


def _parts(rows: duckdb.DuckDBPyRelation) -> Iterator[pl.DataFrame]:
    """The rows; columns are numbered, since headings may come twice."""
    for batch in rows.to_arrow_reader(BATCH_ROWS):
        names = [str(number) for number in range(batch.num_columns)]
        yield pl.DataFrame(batch.rename_columns(names))


@contextmanager
def _saying() -> Iterator[None]:
    """What DuckDB or Postgres have against a statement, without a traceback's worth of it."""
    try:
        yield
    except duckdb.Error as error:
        raise AnalysisError(str(error).strip()) from None
    except RuntimeError as error:
        # What DuckDB makes of Ctrl-C and SIGTERM.
        if isinstance(error.__cause__, (KeyboardInterrupt, SystemExit)):
            raise error.__cause__ from None
        raise
