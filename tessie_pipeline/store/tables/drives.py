"""The tables of drives and of who drove, with the conventions of `tables`.

Drives and unseen distances are derived from `vehicle_states` and can be built again.
"""

import sqlalchemy as sa

from tessie_pipeline.store.tables import vehicles
from tessie_pipeline.store.tables.columns import (
    column,
    created_at,
    flag,
    identity,
    metadata,
    number,
    text,
    time,
    updated_at,
    vehicle_id,
    whole,
)
from tessie_pipeline.store.tables.prices import places

drivers = sa.Table(
    "drivers",
    metadata,
    identity("driver"),
    text("name", "The driver's name.", nullable=False),
    text("profile_id", "The driver profile in the car.", unique=True),
    flag("is_primary", "Whether this is the main driver.", nullable=False,
          server_default=sa.false()),
    text("avatar_url", "Address of a picture."),
    created_at(),
    updated_at(),
    comment="People who drive.",
)  # fmt: skip

driver_rules = sa.Table(
    "driver_rules",
    metadata,
    identity("rule"),
    column("driver_id", sa.Uuid, "Who drives: drivers.id.",
           sa.ForeignKey(drivers.c.id, ondelete="CASCADE"), nullable=False),
    vehicle_id(sa.ForeignKey(vehicles.c.id)),
    column("start_place_id", sa.Uuid, "Where the drive begins: places.id; null is anywhere.",
           sa.ForeignKey(places.c.id, ondelete="CASCADE")),
    column("end_place_id", sa.Uuid, "Where it ends: places.id; null is anywhere.",
           sa.ForeignKey(places.c.id, ondelete="CASCADE")),
    whole("weekdays", "Sum of 1 for Monday, 2 for Tuesday, 4 for Wednesday … 64 for Sunday; null "
          "is any day."),
    column("start_time", sa.Time, "From when, local; null is midnight."),
    column("end_time", sa.Time, "Until when, local; on the next day if not after the start."),
    whole("priority", "Of rules that fit, the lowest counts.", nullable=False,
          server_default="100"),
    created_at(),
    comment="Who drives when and where; a rule of a vehicle alone is its default driver.",
)  # fmt: skip

drives = sa.Table(
    "drives",
    metadata,
    vehicle_id(sa.ForeignKey(vehicles.c.id), primary_key=True),
    time("started_at", "When it began (UTC): the best estimate.", primary_key=True),
    time("ended_at", "When it ended (UTC): the best estimate; null while it lasts."),
    time("started_after", "The last sample before it began (UTC); null if there is none."),
    time("started_by", "The first sample at or after its start (UTC).", nullable=False),
    time("ended_after", "The last sample before it ended (UTC)."),
    time("ended_by", "The first sample at or after its end (UTC); null while it lasts."),
    number("duration_minutes", "From start to end, minutes."),
    number("start_odometer", "Odometer at the start, miles."),
    number("end_odometer", "Odometer at the end, miles."),
    number("distance_miles", "Distance, miles."),
    whole("start_battery_level", "State of charge at the start, %."),
    whole("end_battery_level", "State of charge at the end, %."),
    number("start_latitude", "Latitude of the start, degrees north, WGS 84."),
    number("start_longitude", "Longitude of the start, degrees east, WGS 84."),
    number("end_latitude", "Latitude of the end, degrees north, WGS 84."),
    number("end_longitude", "Longitude of the end, degrees east, WGS 84."),
    column("start_place_id", sa.Uuid, "Where it began: places.id; null outside all places."),
    column("end_place_id", sa.Uuid, "Where it ended: places.id; null outside all places."),
    column("driver_id", sa.Uuid, "Who drove: drivers.id; null if nobody is known to."),
    number("energy_used_kwh", "Energy out of the battery, kWh; see its source."),
    text("energy_source", "power: integrated; soc: from the state of charge."),
    number("power_coverage_pct", "Part of the time in which power was measured, %."),
    number("efficiency_wh_per_mile", "Energy per mile, Wh; null below a mile."),
    number("speed_avg_mph", "Mean speed, mph."),
    number("speed_max_mph", "Highest speed seen, mph."),
    number("outside_temp_avg", "Mean outside temperature, °C."),
    flag("is_inferred", "Whether no sample shows it driving.", nullable=False),
    column("samples", sa.Integer, "How many samples show it.", nullable=False),
    created_at(),
    comment="One row per drive, derived from vehicle_states.",
)

unseen_distances = sa.Table(
    "unseen_distances",
    metadata,
    vehicle_id(sa.ForeignKey(vehicles.c.id), primary_key=True),
    time("after", "The sample before (UTC).", primary_key=True),
    time("before", "The sample after (UTC).", nullable=False),
    number("from_odometer", "Odometer before, miles."),
    number("to_odometer", "Odometer after, miles."),
    number("distance_miles", "Distance that belongs to no drive, miles."),
    whole("from_battery_level", "State of charge before, %."),
    whole("to_battery_level", "State of charge after, %."),
    comment="What vehicles drove unseen, between two samples, so that it belongs to no drive.",
)
