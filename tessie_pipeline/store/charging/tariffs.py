"""Tariffs as they are stored; people may write them by SQL, so that a row may be no tariff at all.

What is read in (a file, Tesla) replaces what was read in under the same names, and nothing else.
Not here: what a tariff is, and its rows (`domain.tariffs`, `domain.tariff_frames`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.tariff_frames import (
    TARIFF_RATES,
    TARIFFS,
    tariff_frames,
    tariffs_of,
)
from tessie_pipeline.domain.tariffs import Tariff
from tessie_pipeline.store.frames import copy_in, execute, read_frame
from tessie_pipeline.store.tables.prices import tariff_rates, tariffs

Version = tuple[str, date | None]
"""The name of a tariff, and the first local day of one of its versions; None for ever before."""


class TariffClash(ValueError):
    """Tariffs that would take the name of others, of another source; the message names both."""


@dataclass(frozen=True)
class TariffChanges:
    """The versions that came, were replaced, stayed as they were, and went."""

    new: tuple[Version, ...]
    changed: tuple[Version, ...]
    unchanged: tuple[Version, ...]
    removed: tuple[Version, ...]

    @property
    def is_none(self) -> bool:
        """Whether all stayed as it was."""
        return not (self.new or self.changed or self.removed)


def read_tariffs(connection: adbc.Connection) -> tuple[list[Tariff], list[str]]:
    """All versions of tariffs by name and first day, and why others are none: a sentence each."""
    return _understood(*_rows(connection))


def save_tariffs(connection: adbc.Connection, given: Sequence[Tariff]) -> TariffChanges:
    """Let the tariffs have just these versions; other tariffs stay as they are.

    Args:
        connection: the transaction; other writers of tariffs wait until it ends.
        given: all versions of one or more tariffs, at most one per name and first day.

    Raises:
        TariffClash: a tariff of such a name is of another source.
    """
    execute(connection, f"lock table {tariffs.name} in share row exclusive mode")
    versions, rates = _rows(connection)
    _refuse_clash(versions, given)
    stored = versions.filter(pl.col("name").is_in([one.name for one in given]))
    stored = stored.sort("name", "valid_from", nulls_last=False)
    known = _understood(stored, rates)[0]
    unchanged = {one.tariff_id for one in known if one in given}
    outdated = stored.filter(~pl.col("tariff_id").is_in(unchanged))
    if not outdated.is_empty():
        ids = [UUID(own) for own in outdated["tariff_id"]]
        execute(connection, sa.delete(tariffs).where(tariffs.c.id.in_(ids)))
    new_tariffs, new_rates = tariff_frames(one for one in given if one.tariff_id not in unchanged)
    copy_in(connection, tariffs, new_tariffs.rename({"tariff_id": "id"}))
    copy_in(connection, tariff_rates, new_rates)
    before = [(name, valid_from) for name, valid_from in stored.select("name", "valid_from").rows()]
    return _changes(before, given, unchanged)


def tariff_names(connection: sa.Connection) -> list[str]:
    """The names of all tariffs, in their order."""
    query = sa.select(tariffs.c.name).distinct().order_by(tariffs.c.name)
    return list(connection.scalars(query))


def remove_tariff(connection: sa.Connection, name: str) -> int:
    """Remove all versions of a tariff; returns how many there were."""
    return connection.execute(sa.delete(tariffs).where(tariffs.c.name == name)).rowcount


def _changes(
    before: Sequence[Version], given: Iterable[Tariff], unchanged: set[str]
) -> TariffChanges:
    after = {(one.name, one.valid_from): one.tariff_id for one in given}
    kept = [version for version in after if version in before]
    return TariffChanges(
        new=tuple(version for version in after if version not in before),
        changed=tuple(version for version in kept if after[version] not in unchanged),
        unchanged=tuple(version for version in kept if after[version] in unchanged),
        removed=tuple(version for version in before if version not in after),
    )


def _refuse_clash(versions: pl.DataFrame, given: Iterable[Tariff]) -> None:
    source_of = {one.name: one.source for one in given}
    name_of = {one.tariff_id: one.name for one in given}
    for own, name, source in versions.select("tariff_id", "name", "source").iter_rows():
        if source_of.get(name, source) != source:
            raise TariffClash(f"there is a tariff {name} already, of source {source}")
        if name_of.get(own, name) != name:
            raise TariffClash(f"tariff {name} was {name_of[own]} before someone renamed it")


def _understood(versions: pl.DataFrame, rates: pl.DataFrame) -> tuple[list[Tariff], list[str]]:
    rates_of = rates.partition_by("tariff_id", as_dict=True)
    found: list[Tariff] = []
    reasons: list[str] = []
    for version in versions.sort("name", "valid_from", nulls_last=False).iter_slices(1):
        own = rates_of.get((version["tariff_id"].item(),), rates.clear())
        try:
            found += tariffs_of(version, own)
        except ValueError as error:
            reasons.append(str(error))
    return found, reasons


def _rows(connection: adbc.Connection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables as `TARIFFS` and `TARIFF_RATES`.

    What only Postgres knows becomes what others know: infinite dates null, 24:00 midnight.
    """
    c = tariffs.c
    valid_from = sa.case((c.valid_from > date.min, c.valid_from)).label("valid_from")
    valid_to = sa.case((c.valid_to < date.max, c.valid_to)).label("valid_to")
    clocks = (
        sa.cast(sa.cast(clock, sa.Interval), sa.Time).label(clock.name)
        for clock in (tariff_rates.c.start_time, tariff_rates.c.end_time)
    )
    return (
        _read(connection, TARIFFS, tariffs, c.id.label("tariff_id"), valid_from, valid_to),
        _read(connection, TARIFF_RATES, tariff_rates, *clocks),
    )


def _read(
    connection: adbc.Connection,
    schema: pl.Schema,
    table: sa.Table,
    *expressed: sa.Label[Any],
) -> pl.DataFrame:
    names = {one.name for one in expressed}
    columns = (table.c[name] for name in schema if name not in names)
    return read_frame(connection, sa.select(*expressed, *columns), schema)
