"""The frames of the battery ledger: what a home battery holds, gives and costs, by origin.

Contents are stored energy [Wh], state of charge times capacity; what is charged and discharged is
measured outside the battery [Wh]. Money is in the currency of the site's prices. Not here: how they
come (`battery`, `battery_costs`).
"""

import polars as pl

from tessie_pipeline.domain.samples import UTC_TIME

ORIGINS = ("solar", "grid", "generator", "unknown")

BATTERIES = pl.Schema({"site_id": pl.String(), "capacity_wh": pl.Float64()})
"""One row per site with a battery; null where its capacity is not known."""

BATTERY_LEDGER = pl.Schema(
    {
        "site_id": pl.String(),
        "date": pl.Date(),
        "origin": pl.String(),
        "opening_wh": pl.Float64(),
        "charged_wh": pl.Float64(),
        "discharged_wh": pl.Float64(),
        "lost_wh": pl.Float64(),
        "adjusted_wh": pl.Float64(),
        "closing_wh": pl.Float64(),
        "closing_cost": pl.Float64(),
        "closing_priced_wh": pl.Float64(),
    }
)
"""One row per site, local day and origin.

opening + charged - discharged - lost + adjusted = closing. Lost is what the efficiency of both ways
takes; adjusted is what the measured state of charge adds to, or takes from, what is booked.
`closing_cost` is what those `closing_priced_wh` of the closing content cost whose price is known.
"""

BATTERY_MIX = pl.Schema(
    {
        "site_id": pl.String(),
        "timestamp": UTC_TIME,
        **{f"{origin}_share": pl.Float64() for origin in ORIGINS},
        "solar_cost": pl.Float64(),
        "grid_cost": pl.Float64(),
    }
)
"""The origin of what comes out in five minutes, as shares that add up to 1; null if empty.

`solar_cost` and `grid_cost` are what a kWh of it cost per kWh of that origin, null if not known.
"""

NO_LEDGER = pl.DataFrame(schema=BATTERY_LEDGER)
