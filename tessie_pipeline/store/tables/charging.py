"""The tables about charging, with the conventions of `tables`: what was charged, and what it cost.

Sessions, their segments and pieces are derived from `vehicle_states` and can be built again; a
session's key is its vehicle and start, and what belongs to a session goes with it. Bills and
charges of wall connectors are Tesla's own records. Not here: places and prices (`prices`).
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.tables import energy_sites, vehicles
from tessie_pipeline.store.tables.columns import (
    column,
    created_at,
    flag,
    identity,
    metadata,
    number,
    site_id,
    text,
    time,
    vehicle_id,
    whole,
)
from tessie_pipeline.store.tables.energy import shares_kwh


def _bounds(started: str, ended: str) -> list[sa.Column[Any]]:
    """The bounds of a start and an end that were seen from both sides only."""
    return [
        time("started_after", f"The last sample before {started} (UTC); null if there is none."),
        time("started_by", f"The first sample at or after {started} (UTC).", nullable=False),
        time("ended_after", f"The last sample before {ended} (UTC)."),
        time("ended_by", f"The first sample at or after {ended} (UTC); null while it lasts."),
    ]


def _of_session(*more: str) -> sa.ForeignKeyConstraint:
    """What belongs to a session goes with it."""
    return sa.ForeignKeyConstraint(
        ["vehicle_id", *more],
        ["charging_sessions.vehicle_id", "charging_sessions.started_at"],
        ondelete="CASCADE",
    )


def _matched_session() -> list[sa.Column[Any]]:
    """The plug-in that a record of Tesla's was found to belong to.

    No foreign key: a session that is built again at the same start keeps its records.
    """
    return [
        vehicle_id(),
        time("session_started_at", "The plug-in that it belongs to, as far as one is known: "
             "charging_sessions.started_at (UTC)."),
    ]  # fmt: skip


def _session_started_at(**options: Any) -> sa.Column[Any]:
    return time(
        "session_started_at", "The plug-in: charging_sessions.started_at (UTC).", nullable=False,
        **options,
    )  # fmt: skip


charging_sessions = sa.Table(
    "charging_sessions",
    metadata,
    identity("plug-in"),
    vehicle_id(sa.ForeignKey(vehicles.c.id), nullable=False),
    time("started_at", "When the cable went in (UTC): the best estimate.", nullable=False),
    time("ended_at", "When the cable came out (UTC): the best estimate; null while plugged in."),
    *_bounds("the cable went in", "it came out"),
    number("duration_minutes", "From start to end, minutes."),
    whole("start_battery_level", "State of charge at the start, %."),
    whole("end_battery_level", "State of charge at the end, %."),
    number("energy_added_kwh", "Energy into the battery, kWh."),
    number("energy_used_kwh", "Energy from the wall as measured, kWh; see its coverage."),
    number("energy_used_coverage_pct", "Part of the charging time in which it was measured, %."),
    number("efficiency_pct", "Energy into the battery over that from the wall, %."),
    number("idle_energy_used_kwh", "Energy from the wall while not charging, kWh: preheating."),
    number("charge_rate_kw_avg", "Mean charging power, kW."),
    number("charge_rate_kw_max", "Highest charging power, kW."),
    whole("phases", "Phases that were used, corrected; null for DC."),
    flag("is_dc", "Whether it was charged with DC."),
    flag("is_inferred", "Whether no sample was taken while plugged in.", nullable=False),
    flag("is_estimated", "Whether energy comes from the state of charge, for want of a counter.",
         nullable=False, server_default=sa.false()),
    whole("charge_limit_soc", "Charge limit at the end, % state of charge."),
    number("odometer", "Odometer, miles."),
    number("outside_temp", "Outside temperature, °C."),
    text("fast_charger_type", "Type of fast charger as the car reports it."),
    text("fast_charger_brand", "Brand of fast charger as the car reports it."),
    text("conn_charge_cable", "Cable as the car reports it."),
    column("segments", sa.Integer, "How many stretches of charging it has.", nullable=False),
    column("samples", sa.Integer, "How many samples show it.", nullable=False),
    text("charger_type", "home, supercharger, destination, third_party or other."),
    text("charger_name", "Name of the charger, as a bill gives it."),
    text("location_name", "Name of the place."),
    column("place_id", sa.Uuid, "The place: places.id; null outside all places."),
    column("site_id", sa.Uuid, "The energy site that it was charged at: energy_sites.id."),
    number("connector_live_kwh", "Energy that the wall connector's power in live_status adds up "
           "to, kWh; the car's own is energy_used_kwh."),
    column("connector_site_id", sa.Uuid, "The site whose wall connector saw the vehicle then: "
           "energy_sites.id."),
    number("latitude", "Latitude of the plug-in, degrees north, WGS 84."),
    number("longitude", "Longitude of the plug-in, degrees east, WGS 84."),
    column("cost", sa.Numeric(12, 4), "What it cost, all energy at the price of the grid, or what "
           "the bill says; in `cost_currency`."),
    column("cost_with_solar", sa.Numeric(12, 4), "What it cost with the solar part at what its "
           "export would have earned, all else at the price of the grid, in `cost_currency`."),
    column("cost_currency", sa.String(3), "Currency of the costs, ISO 4217."),
    text("cost_reason", "Why a cost is not known; null if it is."),
    text("cost_basis", "Digest of all that the cost was computed from; null before."),
    number("solar_energy_kwh", "Part of the energy that is known to come from the sun, directly or "
           "through the home battery, kWh; see coverage_pct of charging_attribution."),
    number("solar_percentage", "Share of the sun in the energy whose origin is known, %."),
    text("status", "in_progress, completed or interrupted.", nullable=False),
    created_at(),
    sa.UniqueConstraint("vehicle_id", "started_at"),
    sa.Index(None, "site_id", "started_at"),
    sa.Index("charging_sessions_due_idx", "started_at", postgresql_where="cost_basis is null"),
    sa.CheckConstraint(
        "charger_type in ('home', 'supercharger', 'destination', 'third_party', 'other')",
        name="charger_type",
    ),
    sa.CheckConstraint("status in ('in_progress', 'completed', 'interrupted')", name="status"),
    comment="One row per plug-in, derived from vehicle_states.",
)  # fmt: skip

charging_segments = sa.Table(
    "charging_segments",
    metadata,
    vehicle_id(primary_key=True),
    time("started_at", "When charging began (UTC): the best estimate.", primary_key=True),
    _session_started_at(),
    time("ended_at", "When charging ended (UTC): the best estimate; null while it lasts."),
    *_bounds("charging began", "it ended"),
    whole("start_battery_level", "State of charge at the start, %."),
    whole("end_battery_level", "State of charge at the end, %."),
    number("energy_added_kwh", "Energy into the battery, kWh."),
    number("energy_used_kwh", "Energy from the wall as measured, kWh; see its coverage."),
    number("energy_used_coverage_pct", "Part of the time in which it was measured, %."),
    number("charge_rate_kw_avg", "Mean charging power, kW."),
    number("charge_rate_kw_max", "Highest charging power, kW."),
    flag("is_inferred", "Whether no sample shows it charging.", nullable=False),
    column("samples", sa.Integer, "How many samples show it.", nullable=False),
    _of_session("session_started_at"),
    comment="One row per stretch of charging within a plug-in.",
)

charging_pieces = sa.Table(
    "charging_pieces",
    metadata,
    vehicle_id(primary_key=True),
    time("start", "Start of the piece (UTC).", primary_key=True),
    time("end", "Its end (UTC).", nullable=False),
    _session_started_at(),
    number("energy_added_kwh", "Energy into the battery, kWh."),
    number("energy_used_kwh", "Energy from the wall as measured, kWh; null where it was not."),
    number(
        "energy_kwh",
        "Energy drawn, kWh: measured by the connector or the car, or from what the car counted.",
    ),
    text("basis", "Where it comes from: connector, wall, counter or soc.", nullable=False),
    _of_session("session_started_at"),
    comment="The energy of each plug-in over time, for prices and for where it came from.",
)

charging_costs = sa.Table(
    "charging_costs",
    metadata,
    vehicle_id(primary_key=True),
    _session_started_at(primary_key=True),
    column("line", sa.Integer, "Number of the line, from 1.", primary_key=True,
           autoincrement=False),
    text("kind", "energy, time or fee of a tariff; bill, idle_fee, congestion_fee … of a bill.",
         nullable=False),
    time("start", "Start of the stretch at one price (UTC); null for the whole session."),
    time("end", "Its end (UTC)."),
    number("energy_kwh", "Energy, kWh."),
    number("solar_kwh", "Part of it that was solar, kWh."),
    number("grid_kwh", "The rest, kWh."),
    number("minutes", "Minutes that are paid for."),
    text("unit", "What the price is of: kwh, minute."),
    column("buy_price", sa.Numeric(18, 6), "Price of a unit, in `currency`."),
    column("sell_price", sa.Numeric(18, 6), "What exporting a kWh would have earned."),
    column("amount_grid", sa.Numeric(38, 15), "Amount, all energy at the price of the grid."),
    column("amount_solar", sa.Numeric(38, 15), "Amount with solar at what its export would have "
           "earned."),
    column("currency", sa.String(3), "Currency, ISO 4217."),
    column("tariff_id", sa.Uuid, "The tariff's version: tariffs.id."),
    text("tariff_name", "Name of the tariff."),
    flag("is_paid", "Whether a billed fee is paid."),
    _of_session("session_started_at"),
    comment="The lines that explain the cost of each plug-in.",
)  # fmt: skip

charging_attribution = sa.Table(
    "charging_attribution",
    metadata,
    vehicle_id(primary_key=True),
    _session_started_at(primary_key=True),
    text("policy", "Whose energy is whose: proportional, ev_last or solar_to_ev_first.",
         primary_key=True),
    number("energy_kwh", "Energy drawn, kWh."),
    *shares_kwh(),
    number("solar_pct", "Share of solar in what is known, %."),
    number("coverage_pct", "Part of the energy whose origin is known, %."),
    _of_session("session_started_at"),
    comment="Where the energy of each plug-in at a site came from, under each policy.",
)  # fmt: skip

charging_bills = sa.Table(
    "charging_bills",
    metadata,
    column("session_id", sa.BigInteger, "Tesla's sessionId.", primary_key=True,
           autoincrement=False),
    column("vin", sa.String(17), "The vehicle's VIN.", nullable=False),
    text("site_name", "Name of the Supercharger."),
    time("started_at", "When charging began (UTC).", nullable=False),
    time("stopped_at", "When charging stopped (UTC)."),
    time("unlatched_at", "When the cable came out (UTC)."),
    text("country", "Country, ISO 3166."),
    text("billing_type", "How Tesla bills it, such as IMMEDIATE."),
    *_matched_session(),
    column("raw_data", pg.JSONB, "The record as received."),
    created_at(),
    sa.Index(None, "vin", "started_at"),
    comment="Charges that Tesla has billed, from /dx/charging/history.",
)  # fmt: skip

_TIERS = ("base", "tier_1", "tier_2", "tier_3", "tier_4")

charging_fees = sa.Table(
    "charging_fees",
    metadata,
    column("session_id", sa.BigInteger, "The bill: charging_bills.session_id.",
           sa.ForeignKey(charging_bills.c.session_id, ondelete="CASCADE"), primary_key=True,
           autoincrement=False),
    whole("position", "Place in the bill, from 0.", primary_key=True, autoincrement=False),
    column("session_fee_id", sa.BigInteger, "Tesla's id of the fee."),
    text("fee_type", "CHARGING, PARKING (idle), CONGESTION and others, as Tesla says."),
    column("currency", sa.String(3), "Currency, ISO 4217."),
    text("pricing_type", "How it is priced, such as PAYMENT or NO_CHARGE."),
    text("uom", "What is counted: kwh or min."),
    *(number(f"rate_{tier}", f"Price of a unit, {tier}, in `currency`.") for tier in _TIERS),
    *(number(f"usage_{tier}", f"Units, {tier}, in `uom`.") for tier in _TIERS),
    *(number(f"total_{tier}", f"Amount, {tier}, in `currency`.") for tier in _TIERS),
    number("total_due", "Amount, in `currency`."),
    number("net_due", "Amount less what was credited, in `currency`."),
    flag("is_paid", "Whether it is paid."),
    text("status", "Tesla's word for how it stands."),
    comment="The fees of each bill.",
)  # fmt: skip

wall_connector_charges = sa.Table(
    "wall_connector_charges",
    metadata,
    site_id(sa.ForeignKey(energy_sites.c.id), primary_key=True),
    text("din", "The wall connector; empty where Tesla does not say.", primary_key=True),
    time("started_at", "When it began (UTC).", primary_key=True),
    number("duration_s", "How long it took, s."),
    number("energy_wh", "Energy given out, Wh."),
    text("vin", "The vehicle that was charged; null where Tesla does not say."),
    *_matched_session(),
    created_at(),
    comment="Charges as the wall connectors counted them, from telemetry_history.",
)

sample_changes = sa.Table(
    "sample_changes",
    metadata,
    text("reader", "Who has not read them yet: charging_sessions or drives.", primary_key=True),
    vehicle_id(primary_key=True),
    time("changed_from", "The oldest sample that is new (UTC).", nullable=False),
    time("changed_to", "The newest sample that is new (UTC).", nullable=False),
    column(
        "changes",
        sa.BigInteger,
        "How often samples came since they were last read.",
        nullable=False,
        server_default="1",
    ),
    comment="Vehicles with samples that what is derived from them does not know yet; written in "
    "the transaction that writes the samples.",
)

derived_from = sa.Table(
    "derived_from",
    metadata,
    text("reader", "What was derived: charging_sessions, charging_costs or drives.",
         primary_key=True),
    text("basis", "Digest of the places, prices, bills, rules and policy that it was derived from.",
         nullable=False),
    time("derived_at", "When (UTC).", nullable=False, server_default=sa.func.now()),
    comment="What people may edit and derived tables follow, as it was when they last did.",
)  # fmt: skip
