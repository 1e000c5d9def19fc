"""The tables of energy, with the conventions of `tables`: five minutes, hours, days, batteries.

All but `energy_history` are computed, and can be computed again. Not here: samples and sites
(`store/tables`), where the energy of charges came from (`charging`).
"""

import sqlalchemy as sa

from tessie_pipeline.store.tables.columns import (
    column,
    created_at,
    identity,
    metadata,
    number,
    site_id,
    text,
    time,
    vehicle_id,
)


def _energies() -> list[sa.Column[float]]:
    """The energies of a time."""
    return [
        number("solar_produced_kwh", "Solar energy produced, kWh; >= 0."),
        number("solar_to_home_kwh", "Solar energy used at home, kWh; >= 0."),
        number("solar_to_battery_kwh", "Solar energy into the batteries, kWh; >= 0."),
        number("solar_to_grid_kwh", "Solar energy exported, kWh; >= 0."),
        number("battery_charged_kwh", "Energy into the batteries, kWh; >= 0."),
        number("battery_discharged_kwh", "Energy out of the batteries, kWh; >= 0."),
        number("battery_to_home_kwh", "Battery energy used at home, kWh; >= 0."),
        number("battery_to_grid_kwh", "Battery energy exported, kWh; >= 0."),
        number("grid_imported_kwh", "Energy from the grid, kWh; >= 0."),
        number("grid_exported_kwh", "Energy into the grid, kWh; >= 0."),
        number("grid_to_home_kwh", "Grid energy used at home, kWh; >= 0."),
        number("grid_to_battery_kwh", "Grid energy into the batteries, kWh; >= 0."),
        number("generator_produced_kwh", "Generator energy produced, kWh; >= 0."),
        number("generator_to_home_kwh", "Generator energy used at home, kWh; >= 0."),
        number("generator_to_battery_kwh", "Generator energy into the batteries, kWh; >= 0."),
        number("generator_to_grid_kwh", "Generator energy exported, kWh; >= 0."),
        number("home_consumed_kwh", "Energy used at home, cars included, kWh; >= 0."),
    ]


energy_history = sa.Table(
    "energy_history",
    metadata,
    site_id(sa.ForeignKey("energy_sites.id"), primary_key=True),
    text("kind", "energy (Wh), power (W) or soe (%).", primary_key=True),
    column("date", sa.Date, "Local calendar day of the site.", primary_key=True),
    column("answer", sa.JSON, "The calendar_history answer as received.", nullable=False),
    time("received_at", "When the answer came (UTC).", nullable=False),
    sa.CheckConstraint("kind in ('energy', 'power', 'soe')", name="kind"),
    comment="Tesla's calendar_history answers as received, one per site, kind and local day.",
)

history_misses = sa.Table(
    "history_misses",
    metadata,
    site_id(sa.ForeignKey("energy_sites.id"), primary_key=True),
    text("kind", "energy (Wh), power (W) or soe (%).", primary_key=True),
    column("date", sa.Date, "Local calendar day of the site.", primary_key=True),
    column("times", sa.Integer, "How often it was asked for in vain.", nullable=False,
           server_default="1"),
    time("left_until", "Until when no schedule asks for it again (UTC).", nullable=False),
    comment="Answers of calendar_history that were asked for in vain: refused, of another day, or "
    "shorter than what is known.",
)  # fmt: skip

energy_intervals = sa.Table(
    "energy_intervals",
    metadata,
    site_id(primary_key=True),
    time("timestamp", "Start of the five minutes (UTC).", primary_key=True),
    number("solar_wh", "Solar energy produced, Wh; >= 0."),
    number("generator_wh", "Generator energy produced, Wh; >= 0."),
    number("battery_discharged_wh", "Energy out of the batteries, Wh; >= 0."),
    number("battery_charged_wh", "Energy into the batteries, Wh; >= 0."),
    number("grid_imported_wh", "Energy from the grid, Wh; >= 0."),
    number("grid_exported_wh", "Energy into the grid, Wh; >= 0."),
    number("home_wh", "Energy used at home, cars included, Wh; >= 0."),
    number("solar_to_home_wh", "Solar energy used at home, Wh; >= 0."),
    number("solar_to_battery_wh", "Solar energy into the batteries, Wh; >= 0."),
    number("solar_to_grid_wh", "Solar energy exported, Wh; >= 0."),
    number("battery_to_home_wh", "Battery energy used at home, Wh; >= 0."),
    number("battery_to_grid_wh", "Battery energy exported, Wh; >= 0."),
    number("grid_to_home_wh", "Grid energy used at home, Wh; >= 0."),
    number("grid_to_battery_wh", "Grid energy into the batteries, Wh; >= 0."),
    number("generator_to_home_wh", "Generator energy used at home, Wh; >= 0."),
    number("generator_to_battery_wh", "Generator energy into the batteries, Wh; >= 0."),
    number("generator_to_grid_wh", "Generator energy exported, Wh; >= 0."),
    number(
        "residual_wh",
        "What the totals put in beyond what they took out, Wh: solar + generator + battery out + "
        "grid in - home - battery in - grid out.",
    ),
    number("soc_pct", "State of charge at the interval's end, %; null where not reported."),
    text(
        "source",
        "Where the energy comes from: calendar_history_energy, "
        "calendar_history_power or live_status.",
        nullable=False,
    ),
    number("coverage", "Part of the five minutes that was measured, 0 to 1.", nullable=False),
    created_at(),
    comment="Energy and its seven flows per site and five minutes. Partitioned by month (UTC).",
    info={"partition_by": "month"},
    postgresql_partition_by="RANGE (timestamp)",
)

energy_hourly = sa.Table(
    "energy_hourly",
    metadata,
    site_id(primary_key=True),
    time("timestamp", "Start of the hour of the site's clock (UTC).", primary_key=True),
    *_energies(),
    number("soc_pct", "State of charge at the hour's end, %; null where not reported."),
    number("coverage_pct", "Part of the hour that was measured, %.", nullable=False),
    text("source", "Where the energy comes from: sources of energy_intervals.", nullable=False),
    created_at(),
    comment="Energy per site and local hour: the sum of energy_intervals. Partitioned by month "
    "(UTC).",
    info={"partition_by": "month"},
    postgresql_partition_by="RANGE (timestamp)",
)

energy_daily = sa.Table(
    "energy_daily",
    metadata,
    identity("site's day"),
    site_id(sa.ForeignKey("energy_sites.id"), nullable=False),
    column("date", sa.Date, "Local calendar day of the site, 23 to 25 hours.", nullable=False),
    *_energies(),
    number("self_consumption_pct", "Share of the solar energy used on site, %."),
    number("solar_offset_pct", "Share of the home's energy met by solar as it was produced, %."),
    number("coverage_pct", "Part of the day that was measured, %; null for an imported day."),
    text("source", "Where the day comes from: sources of energy_intervals, or app_export.",
          nullable=False),
    created_at(),
    sa.UniqueConstraint("site_id", "date"),
    sa.Index(None, "date"),
    comment="Energy per site and local day: the sum of energy_intervals, or an imported total.",
)  # fmt: skip

battery_ledger = sa.Table(
    "battery_ledger",
    metadata,
    site_id(sa.ForeignKey("energy_sites.id"), primary_key=True),
    column("date", sa.Date, "Local calendar day of the site.", primary_key=True),
    text("origin", "What had charged it: solar, grid, generator or unknown.", primary_key=True),
    number("opening_wh", "Stored energy when the day begins, Wh."),
    number("charged_wh", "Energy into the batteries, Wh, measured outside them."),
    number("discharged_wh", "Energy out of the batteries, Wh, measured outside them."),
    number("lost_wh", "What charging and discharging lost, Wh."),
    number("adjusted_wh", "What the measured state of charge adds to what is booked, Wh."),
    number("closing_wh", "Stored energy when the day ends, Wh: opening + charged - discharged - "
           "lost + adjusted."),
    number("closing_cost", "What those closing_priced_wh cost, in the currency of the site's "
           "prices: what was paid to the grid, or what solar would have earned."),
    number("closing_priced_wh", "Part of the closing energy whose price is known, Wh."),
    created_at(),
    comment="What the home batteries hold, per site, local day and origin.",
)  # fmt: skip

SHARES_KWH = {
    "from_solar_kwh": "Solar energy as it was produced, kWh.",
    "from_battery_solar_kwh": "Through the home battery, charged by solar, kWh.",
    "from_battery_grid_kwh": "Through the home battery, charged from the grid, kWh.",
    "from_battery_generator_kwh": "Through the home battery, charged by a generator, kWh.",
    "from_battery_unknown_kwh": "Through the home battery, nobody saw what charged it, kWh.",
    "from_generator_kwh": "Directly from a generator, kWh.",
    "from_grid_kwh": "Directly from the grid, kWh.",
    "unattributed_kwh": "What was not measured at the site, kWh.",
    "solar_kwh": "Solar as it was produced and through the home battery, kWh.",
}
"""The parts of an energy by where it came from; all but the last add up to it."""


def shares_kwh() -> list[sa.Column[float]]:
    """The columns of `SHARES_KWH`."""
    return [number(name, comment) for name, comment in SHARES_KWH.items()]


solar_attribution_daily = sa.Table(
    "solar_attribution_daily",
    metadata,
    identity("site's day of one user under one policy"),
    site_id(sa.ForeignKey("energy_sites.id"), nullable=False),
    column("date", sa.Date, "Local calendar day of the site.", nullable=False),
    text("policy", "Whose energy is whose: proportional, ev_last or solar_to_ev_first.",
         nullable=False),
    vehicle_id(sa.ForeignKey("vehicles.id"), nullable=True),
    number("energy_kwh", "Energy used, kWh; without a vehicle that of the home less its cars."),
    *shares_kwh(),
    number("grid_cost", "What was paid for its grid energy, directly and through the battery."),
    number("solar_value", "What its solar energy would have earned as export."),
    column("currency", sa.String(3), "Currency of both, ISO 4217."),
    created_at(),
    sa.UniqueConstraint(
        "site_id", "date", "policy", "vehicle_id", postgresql_nulls_not_distinct=True
    ),
    comment="Where the energy of each car, and of the home without its cars, came from, per site, "
    "local day and policy.",
)  # fmt: skip

dirty_days = sa.Table(
    "dirty_days",
    metadata,
    text("reader", "The table that has to be computed again.", primary_key=True),
    site_id(primary_key=True),
    column("date", sa.Date, "Local calendar day of the site.", primary_key=True),
    time("since", "When the first change came that it does not know (UTC).", nullable=False,
         server_default=sa.func.now()),
    column("changes", sa.BigInteger, "How often something changed since.", nullable=False,
           server_default="1"),
    comment="Days of sites whose inputs changed after they were computed; written in the "
    "transaction that writes the input.",
)  # fmt: skip
