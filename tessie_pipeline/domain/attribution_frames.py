"""The frames of attribution: parts of charges, sessions and days, with the origins of their energy.

Energies are in kWh and >= 0; `from_` columns are what came directly from a source, `from_battery_`
what came through the home battery, by what had charged it. Not here: how they come (`attribution`).
"""

import polars as pl

from tessie_pipeline.domain.attribution_policies import SHARES
from tessie_pipeline.domain.battery_frames import BATTERY_MIX
from tessie_pipeline.domain.samples import UTC_TIME

SPLIT_KWH = {
    "energy_kwh": pl.Float64(),
    **{f"{share}_kwh": pl.Float64() for share in SHARES},
    "unattributed_kwh": pl.Float64(),
    "solar_kwh": pl.Float64(),
}

MONEY = {"grid_cost": pl.Float64(), "solar_value": pl.Float64()}

ATTRIBUTED_PARTS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "site_id": pl.String(),
        "start": UTC_TIME,
        "end": UTC_TIME,
        "policy": pl.String(),
        **SPLIT_KWH,
    }
)
"""Each part of a charge once per policy; its origins and what is unattributed add up to its energy.

`solar_kwh` is what was solar directly or through the battery. The split is null, and all is
unattributed, where the site measured nothing in these five minutes, or there is no site.
"""

CHARGING_ATTRIBUTION = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "policy": pl.String(),
        **SPLIT_KWH,
        "solar_pct": pl.Float64(),
        "coverage_pct": pl.Float64(),
    }
)
"""One row per session and policy.

The split is that of `coverage_pct` of its energy, of which `solar_pct` was solar; null if none.
"""

SOLAR_ATTRIBUTION_DAILY = pl.Schema(
    {
        "site_id": pl.String(),
        "date": pl.Date(),
        "policy": pl.String(),
        "vehicle_id": pl.String(),
        **SPLIT_KWH,
        **MONEY,
        "currency": pl.String(),
    }
)
"""One row per site, local day, policy and car, and one without car: the home without its cars.

`grid_cost` is what was paid for its energy from the grid, directly or through the battery;
`solar_value` what its solar would have earned as export, both in `currency`. Null where a price
is not known.
"""

NO_MIX = pl.DataFrame(schema=BATTERY_MIX)
