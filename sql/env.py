"""Alembic's environment: the connection and its transaction come from `store/migrations.py`."""

from typing import Any

from alembic import context

from tessie_pipeline.store.tables import (  # noqa: F401 - they fill the metadata
    api,
    charging,
    drives,
    energy,
    prices,
    rollups,
)
from tessie_pipeline.store.tables.columns import PRIVATE, metadata


def is_ours(name: str | None, kind: str, parents: Any) -> bool:
    """Whether a reflected object belongs to the metadata (partitions do not)."""
    if kind == "schema":
        return name in (None, PRIVATE)
    if kind == "table":
        return parents["schema_qualified_table_name"] in metadata.tables
    return True


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    include_name=is_ours,
)
context.run_migrations()
