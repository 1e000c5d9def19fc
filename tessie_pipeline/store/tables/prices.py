"""The tables of places and prices, with the conventions of `tables`; people may write into them.

A change here re-labels and re-prices history by itself. Not here: what was charged
(`charging`), and who drove where (`drives`).
"""

import sqlalchemy as sa

from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline.store.tables.columns import (
    column,
    created_at,
    identity,
    metadata,
    number,
    text,
    updated_at,
)

places = sa.Table(
    "places",
    metadata,
    identity("place"),
    text("name", "The place's name.", nullable=False, unique=True),
    text("kind", "home, work or other.", nullable=False, server_default="other"),
    number("latitude", "Latitude of its centre, degrees north, WGS 84.", nullable=False),
    number("longitude", "Longitude of its centre, degrees east, WGS 84.", nullable=False),
    number("radius_m", "Radius, m.", nullable=False, server_default="100"),
    column("site_id", sa.Uuid, "The energy site there: energy_sites.id.",
           sa.ForeignKey(energy_sites.c.id)),
    text("tariff_name", "The tariff charged there: tariffs.name."),
    created_at(),
    updated_at(),
    sa.CheckConstraint("kind in ('home', 'work', 'other')", name="kind"),
    sa.CheckConstraint("latitude between -90 and 90", name="latitude"),
    sa.CheckConstraint("longitude between -180 and 180", name="longitude"),
    sa.CheckConstraint("radius_m > 0", name="radius_m"),
    comment="Circles with a name, where cars charge and park.",
)  # fmt: skip

tariffs = sa.Table(
    "tariffs",
    metadata,
    identity("version of a tariff"),
    text("name", "The tariff's name; its versions share it.", nullable=False),
    column("currency", sa.String(3), "Currency, ISO 4217.", nullable=False),
    text("time_zone", "IANA time zone of its dates and hours.", nullable=False),
    column("site_id", sa.Uuid, "The energy site it is of: energy_sites.id; null for others.",
           sa.ForeignKey(energy_sites.c.id)),
    text("source", "Where it comes from: file, tesla or hand.", nullable=False,
         server_default="hand"),
    column("valid_from", sa.Date, "Its first day, local; null for ever before."),
    column("valid_to", sa.Date, "The day after its last, local; null for ever."),
    column("session_fee", sa.Numeric(18, 6), "Fee of a session, in `currency`.", nullable=False,
           server_default="0"),
    created_at(),
    sa.CheckConstraint("source in ('file', 'tesla', 'hand')", name="source"),
    sa.CheckConstraint("valid_from < valid_to", name="valid"),
    sa.CheckConstraint("session_fee <> 'NaN'", name="session_fee"),
    sa.Index(None, "name", "valid_from", unique=True, postgresql_nulls_not_distinct=True),
    comment="Versions of tariffs; of those that hold on a day, the one that began last counts.",
)  # fmt: skip

tariff_rates = sa.Table(
    "tariff_rates",
    metadata,
    column("tariff_id", sa.Uuid, "The tariff's version: tariffs.id.",
           sa.ForeignKey(tariffs.c.id, ondelete="CASCADE"), primary_key=True),
    column("position", sa.SmallInteger, "The lowest that holds counts.", primary_key=True,
           autoincrement=False),
    text("direction", "buy, or sell: what export earns.", nullable=False, server_default="buy"),
    text("unit", "What the price is of: kwh or minute.", nullable=False, server_default="kwh"),
    column("price", sa.Numeric(18, 6), "Price of a unit, in the tariff's currency.",
           nullable=False),
    column("season_first", sa.String(5), "First day of the season, MM-DD; null for the year."),
    column("season_last", sa.String(5), "Last day of the season, MM-DD."),
    column("weekdays", sa.String(7), "Days on which its hours begin, Monday 1 to Sunday 7.",
           nullable=False, server_default="1234567"),
    column("start_time", sa.Time, "When its hours begin, local.", nullable=False,
           server_default="00:00"),
    column("end_time", sa.Time, "When they end, local; on the next day if not after the start.",
           nullable=False, server_default="00:00"),
    sa.CheckConstraint("direction in ('buy', 'sell')", name="direction"),
    sa.CheckConstraint("unit in ('kwh', 'minute')", name="unit"),
    sa.CheckConstraint("price <> 'NaN'", name="price"),
    comment="Prices of each version of a tariff, and when they hold by the wall clock.",
)  # fmt: skip
