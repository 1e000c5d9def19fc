"""What a home's wall connectors say of plug-ins: at which site they were, and what they drew.

Where the car tells no power, as in a plug-in that nobody saw, theirs is the energy from the wall.
"""

from datetime import timedelta

import polars as pl

from tessie_pipeline.domain.charging import Charging
from tessie_pipeline.domain.samples import UTC_TIME

LONGEST_GAP = timedelta(minutes=20)
"""Sites are asked every 15 minutes; what lies between answers further apart is not known."""

LARGEST_EFFICIENCY_PCT = 105.0
"""More than what goes in cannot come out, but for rounding."""

SEEN = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "timestamp": UTC_TIME,
        "site_id": pl.String(),
        "power_w": pl.Float64(),
    }
)
"""One row per vehicle and answer of a site whose wall connector named it; its power there."""

_KEY = ["vehicle_id", "started_at"]


def connected(sessions: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """`connector_site_id` and `connector_live_kwh` of plug-ins, in their order; null where unseen.

    The site is the one that named the vehicle most often; the energy is the integral of the power
    between answers that are not further apart than `LONGEST_GAP`.

    Args:
        sessions: `vehicle_id`, `started_at` and `ended_at` of plug-ins.
        seen: `SEEN`.
    """
    spans = sessions.select(*_KEY, "ended_at").sort("started_at")
    step = pl.col("timestamp") - pl.col("timestamp").shift().over(_KEY)
    mean_w = (pl.col("power_w") + pl.col("power_w").shift().over(_KEY)) / 2
    step_kwh = mean_w * step.dt.total_seconds(fractional=True) / 3600 / 1000
    steps_kwh = pl.when(step <= LONGEST_GAP).then(step_kwh)
    found = (
        seen.sort("timestamp")
        .join_asof(
            spans,
            left_on="timestamp",
            right_on="started_at",
            by="vehicle_id",
            check_sortedness=False,
        )
        .filter(
            pl.col("started_at").is_not_null(),
            pl.col("ended_at").is_null() | (pl.col("timestamp") <= pl.col("ended_at")),
        )
        .with_columns(kwh=steps_kwh)
        .group_by(_KEY)
        .agg(
            connector_site_id=pl.col("site_id").mode().sort().first(),
            connector_live_kwh=pl.when(pl.col("kwh").is_not_null().any()).then(pl.col("kwh").sum()),
        )
    )
    return sessions.join(found, on=_KEY, how="left", maintain_order="left").select(
        "connector_site_id", "connector_live_kwh"
    )


def measured_by_connectors(charging: Charging, connectors: pl.DataFrame) -> Charging:
    """The plug-ins with the connector's energy where the car told none of its own from the wall.

    Their efficiency follows from it, and what their pieces drew from that. One of more than
    `LARGEST_EFFICIENCY_PCT` is none: the connector was not seen all the time.

    Args:
        charging: all plug-ins with their pieces.
        connectors: `connected` of these plug-ins.
    """
    live_kwh, added_kwh = pl.col("connector_live_kwh"), pl.col("energy_added_kwh")
    efficiency_pct = 100 * added_kwh / live_kwh
    is_dark = (
        pl.col("energy_used_kwh").is_null()
        & (live_kwh > 0)
        & (added_kwh > 0)
        & (efficiency_pct <= LARGEST_EFFICIENCY_PCT)
    ).fill_null(False)
    sessions = pl.concat([charging.sessions, connectors], how="horizontal").with_columns(
        energy_used_kwh=pl.when(is_dark).then(live_kwh).otherwise("energy_used_kwh"),
        efficiency_pct=pl.when(is_dark).then(efficiency_pct).otherwise("efficiency_pct"),
        is_dark=is_dark,
    )
    dark = sessions.filter("is_dark").select(
        "vehicle_id", "efficiency_pct", session_started_at="started_at"
    )
    drawn_kwh = added_kwh / (pl.col("efficiency_pct") / 100)
    pieces = charging.pieces.join(
        dark, on=["vehicle_id", "session_started_at"], how="left", maintain_order="left"
    ).with_columns(energy_kwh=pl.coalesce(drawn_kwh, "energy_kwh"))
    return Charging(
        sessions.select(charging.sessions.columns),
        charging.segments,
        pieces.select(charging.pieces.columns),
    )
