"""Charging: sessions in full, segments, pieces, costs and bills; places, prices, drives."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "charging_bills",
        sa.Column(
            "session_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Tesla's sessionId.",
        ),
        sa.Column("vin", sa.String(length=17), nullable=False, comment="The vehicle's VIN."),
        sa.Column("site_name", sa.Text(), nullable=True, comment="Name of the Supercharger."),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When charging began (UTC).",
        ),
        sa.Column(
            "stopped_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When charging stopped (UTC).",
        ),
        sa.Column(
            "unlatched_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the cable came out (UTC).",
        ),
        sa.Column("country", sa.Text(), nullable=True, comment="Country, ISO 3166."),
        sa.Column(
            "billing_type",
            sa.Text(),
            nullable=True,
            comment="How Tesla bills it, such as IMMEDIATE.",
        ),
        sa.Column("vehicle_id", sa.Uuid(), nullable=True, comment="The vehicle: vehicles.id."),
        sa.Column(
            "session_started_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The plug-in that it belongs to, as far as one is known: "
            "charging_sessions.started_at (UTC).",
        ),
        sa.Column(
            "raw_data",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The record as received.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("charging_bills_pkey")),
        comment="Charges that Tesla has billed, from /dx/charging/history.",
    )
    op.create_index(
        op.f("charging_bills_vin_started_at_idx"),
        "charging_bills",
        ["vin", "started_at"],
        unique=False,
    )
    op.create_table(
        "sample_changes",
        sa.Column(
            "reader",
            sa.Text(),
            nullable=False,
            comment="Who has not read them yet: charging_sessions or drives.",
        ),
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "changed_from",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The oldest sample that is new (UTC).",
        ),
        sa.Column(
            "changed_to",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The newest sample that is new (UTC).",
        ),
        sa.Column(
            "changes",
            sa.BigInteger(),
            server_default="1",
            nullable=False,
            comment="How often samples came since they were last read.",
        ),
        sa.PrimaryKeyConstraint("reader", "vehicle_id", name=op.f("sample_changes_pkey")),
        comment="Vehicles with samples that what is derived from them does not know yet; written in the transaction that writes the samples.",
    )
    op.create_table(
        "derived_from",
        sa.Column(
            "reader",
            sa.Text(),
            nullable=False,
            comment="What was derived: charging_sessions, charging_costs or drives.",
        ),
        sa.Column(
            "basis",
            sa.Text(),
            nullable=False,
            comment="Digest of the places, prices, bills and rules that it was derived from.",
        ),
        sa.Column(
            "derived_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When (UTC).",
        ),
        sa.PrimaryKeyConstraint("reader", name=op.f("derived_from_pkey")),
        comment="What people may edit and derived tables follow, as it was when they last did.",
    )
    op.add_column(
        "vehicles",
        sa.Column(
            "usable_capacity_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy of its battery from 0 to 100 %, kWh: the median of its charges, whole kWh.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "site_intervals",
            sa.Integer(),
            nullable=True,
            comment="How many five minutes of its site's energy were known when it was costed.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "connector_live_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy that the wall connector's power in live_status adds up to, kWh; the car's own is energy_used_kwh.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "connector_site_id",
            sa.Uuid(),
            nullable=True,
            comment="The site whose wall connector saw the vehicle then: energy_sites.id.",
        ),
    )
    op.create_table(
        "charging_fees",
        sa.Column(
            "session_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="The bill: charging_bills.session_id.",
        ),
        sa.Column(
            "position",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="Place in the bill, from 0.",
        ),
        sa.Column(
            "session_fee_id", sa.BigInteger(), nullable=True, comment="Tesla's id of the fee."
        ),
        sa.Column(
            "fee_type",
            sa.Text(),
            nullable=True,
            comment="CHARGING, PARKING (idle), CONGESTION and others, as Tesla says.",
        ),
        sa.Column("currency", sa.String(length=3), nullable=True, comment="Currency, ISO 4217."),
        sa.Column(
            "pricing_type",
            sa.Text(),
            nullable=True,
            comment="How it is priced, such as PAYMENT or NO_CHARGE.",
        ),
        sa.Column("uom", sa.Text(), nullable=True, comment="What is counted: kwh or min."),
        sa.Column(
            "rate_base", sa.Double(), nullable=True, comment="Price of a unit, base, in `currency`."
        ),
        sa.Column(
            "rate_tier_1",
            sa.Double(),
            nullable=True,
            comment="Price of a unit, tier_1, in `currency`.",
        ),
        sa.Column(
            "rate_tier_2",
            sa.Double(),
            nullable=True,
            comment="Price of a unit, tier_2, in `currency`.",
        ),
        sa.Column(
            "rate_tier_3",
            sa.Double(),
            nullable=True,
            comment="Price of a unit, tier_3, in `currency`.",
        ),
        sa.Column(
            "rate_tier_4",
            sa.Double(),
            nullable=True,
            comment="Price of a unit, tier_4, in `currency`.",
        ),
        sa.Column("usage_base", sa.Double(), nullable=True, comment="Units, base, in `uom`."),
        sa.Column("usage_tier_1", sa.Double(), nullable=True, comment="Units, tier_1, in `uom`."),
        sa.Column("usage_tier_2", sa.Double(), nullable=True, comment="Units, tier_2, in `uom`."),
        sa.Column("usage_tier_3", sa.Double(), nullable=True, comment="Units, tier_3, in `uom`."),
        sa.Column("usage_tier_4", sa.Double(), nullable=True, comment="Units, tier_4, in `uom`."),
        sa.Column("total_base", sa.Double(), nullable=True, comment="Amount, base, in `currency`."),
        sa.Column(
            "total_tier_1", sa.Double(), nullable=True, comment="Amount, tier_1, in `currency`."
        ),
        sa.Column(
            "total_tier_2", sa.Double(), nullable=True, comment="Amount, tier_2, in `currency`."
        ),
        sa.Column(
            "total_tier_3", sa.Double(), nullable=True, comment="Amount, tier_3, in `currency`."
        ),
        sa.Column(
            "total_tier_4", sa.Double(), nullable=True, comment="Amount, tier_4, in `currency`."
        ),
        sa.Column("total_due", sa.Double(), nullable=True, comment="Amount, in `currency`."),
        sa.Column(
            "net_due",
            sa.Double(),
            nullable=True,
            comment="Amount less what was credited, in `currency`.",
        ),
        sa.Column("is_paid", sa.Boolean(), nullable=True, comment="Whether it is paid."),
        sa.Column("status", sa.Text(), nullable=True, comment="Tesla's word for how it stands."),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["charging_bills.session_id"],
            name=op.f("charging_fees_session_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "position", name=op.f("charging_fees_pkey")),
        comment="The fees of each bill.",
    )
    op.create_table(
        "drives",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it began (UTC): the best estimate.",
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it ended (UTC): the best estimate; null while it lasts.",
        ),
        sa.Column(
            "started_after",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The last sample before it began (UTC); null if there is none.",
        ),
        sa.Column(
            "started_by",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The first sample at or after its start (UTC).",
        ),
        sa.Column(
            "ended_after",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The last sample before it ended (UTC).",
        ),
        sa.Column(
            "ended_by",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The first sample at or after its end (UTC); null while it lasts.",
        ),
        sa.Column(
            "duration_minutes", sa.Double(), nullable=True, comment="From start to end, minutes."
        ),
        sa.Column(
            "start_odometer", sa.Double(), nullable=True, comment="Odometer at the start, miles."
        ),
        sa.Column(
            "end_odometer", sa.Double(), nullable=True, comment="Odometer at the end, miles."
        ),
        sa.Column("distance_miles", sa.Double(), nullable=True, comment="Distance, miles."),
        sa.Column(
            "start_battery_level",
            sa.SmallInteger(),
            nullable=True,
            comment="State of charge at the start, %.",
        ),
        sa.Column(
            "end_battery_level",
            sa.SmallInteger(),
            nullable=True,
            comment="State of charge at the end, %.",
        ),
        sa.Column(
            "start_latitude",
            sa.Double(),
            nullable=True,
            comment="Latitude of the start, degrees north, WGS 84.",
        ),
        sa.Column(
            "start_longitude",
            sa.Double(),
            nullable=True,
            comment="Longitude of the start, degrees east, WGS 84.",
        ),
        sa.Column(
            "end_latitude",
            sa.Double(),
            nullable=True,
            comment="Latitude of the end, degrees north, WGS 84.",
        ),
        sa.Column(
            "end_longitude",
            sa.Double(),
            nullable=True,
            comment="Longitude of the end, degrees east, WGS 84.",
        ),
        sa.Column(
            "start_place_id",
            sa.Uuid(),
            nullable=True,
            comment="Where it began: places.id; null outside all places.",
        ),
        sa.Column(
            "end_place_id",
            sa.Uuid(),
            nullable=True,
            comment="Where it ended: places.id; null outside all places.",
        ),
        sa.Column(
            "driver_id",
            sa.Uuid(),
            nullable=True,
            comment="Who drove: drivers.id; null if nobody is known to.",
        ),
        sa.Column(
            "energy_used_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy out of the battery, kWh; see its source.",
        ),
        sa.Column(
            "energy_source",
            sa.Text(),
            nullable=True,
            comment="power: integrated; soc: from the state of charge.",
        ),
        sa.Column(
            "power_coverage_pct",
            sa.Double(),
            nullable=True,
            comment="Part of the time in which power was measured, %.",
        ),
        sa.Column(
            "efficiency_wh_per_mile",
            sa.Double(),
            nullable=True,
            comment="Energy per mile, Wh; null below a mile.",
        ),
        sa.Column("speed_avg_mph", sa.Double(), nullable=True, comment="Mean speed, mph."),
        sa.Column("speed_max_mph", sa.Double(), nullable=True, comment="Highest speed seen, mph."),
        sa.Column(
            "outside_temp_avg", sa.Double(), nullable=True, comment="Mean outside temperature, °C."
        ),
        sa.Column(
            "is_inferred",
            sa.Boolean(),
            nullable=False,
            comment="Whether no sample shows it driving.",
        ),
        sa.Column("samples", sa.Integer(), nullable=False, comment="How many samples show it."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.ForeignKeyConstraint(
            ["vehicle_id"], ["vehicles.id"], name=op.f("drives_vehicle_id_fkey")
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "started_at", name=op.f("drives_pkey")),
        comment="One row per drive, derived from vehicle_states.",
    )
    op.create_table(
        "places",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the place.",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="The place's name."),
        sa.Column(
            "kind",
            sa.Text(),
            server_default="other",
            nullable=False,
            comment="home, work or other.",
        ),
        sa.Column(
            "latitude",
            sa.Double(),
            nullable=False,
            comment="Latitude of its centre, degrees north, WGS 84.",
        ),
        sa.Column(
            "longitude",
            sa.Double(),
            nullable=False,
            comment="Longitude of its centre, degrees east, WGS 84.",
        ),
        sa.Column(
            "radius_m", sa.Double(), server_default="100", nullable=False, comment="Radius, m."
        ),
        sa.Column(
            "site_id", sa.Uuid(), nullable=True, comment="The energy site there: energy_sites.id."
        ),
        sa.Column(
            "tariff_name",
            sa.Text(),
            nullable=True,
            comment="The tariff charged there: tariffs.name.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row last changed (UTC); kept by a trigger.",
        ),
        sa.CheckConstraint("kind in ('home', 'work', 'other')", name=op.f("places_kind_check")),
        sa.CheckConstraint("latitude between -90 and 90", name=op.f("places_latitude_check")),
        sa.CheckConstraint("longitude between -180 and 180", name=op.f("places_longitude_check")),
        sa.CheckConstraint("radius_m > 0", name=op.f("places_radius_m_check")),
        sa.ForeignKeyConstraint(["site_id"], ["energy_sites.id"], name=op.f("places_site_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("places_pkey")),
        sa.UniqueConstraint("name", name=op.f("places_name_key")),
        comment="Circles with a name, where cars charge and park.",
    )
    op.create_table(
        "tariffs",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the version of a tariff.",
        ),
        sa.Column(
            "name", sa.Text(), nullable=False, comment="The tariff's name; its versions share it."
        ),
        sa.Column("currency", sa.String(length=3), nullable=False, comment="Currency, ISO 4217."),
        sa.Column(
            "time_zone", sa.Text(), nullable=False, comment="IANA time zone of its dates and hours."
        ),
        sa.Column(
            "site_id",
            sa.Uuid(),
            nullable=True,
            comment="The energy site it is of: energy_sites.id; null for others.",
        ),
        sa.Column(
            "source",
            sa.Text(),
            server_default="hand",
            nullable=False,
            comment="Where it comes from: file, tesla or hand.",
        ),
        sa.Column(
            "valid_from",
            sa.Date(),
            nullable=True,
            comment="Its first day, local; null for ever before.",
        ),
        sa.Column(
            "valid_to",
            sa.Date(),
            nullable=True,
            comment="The day after its last, local; null for ever.",
        ),
        sa.Column(
            "session_fee",
            sa.Numeric(precision=18, scale=6),
            server_default="0",
            nullable=False,
            comment="Fee of a session, in `currency`.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.CheckConstraint(
            "source in ('file', 'tesla', 'hand')", name=op.f("tariffs_source_check")
        ),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("tariffs_valid_check")),
        sa.CheckConstraint("session_fee <> 'NaN'", name=op.f("tariffs_session_fee_check")),
        sa.ForeignKeyConstraint(
            ["site_id"], ["energy_sites.id"], name=op.f("tariffs_site_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("tariffs_pkey")),
        comment="Versions of tariffs; of those that hold on a day, the one that began last counts.",
    )
    op.create_index(
        op.f("tariffs_name_valid_from_idx"),
        "tariffs",
        ["name", "valid_from"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "unseen_distances",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "after", sa.DateTime(timezone=True), nullable=False, comment="The sample before (UTC)."
        ),
        sa.Column(
            "before", sa.DateTime(timezone=True), nullable=False, comment="The sample after (UTC)."
        ),
        sa.Column("from_odometer", sa.Double(), nullable=True, comment="Odometer before, miles."),
        sa.Column("to_odometer", sa.Double(), nullable=True, comment="Odometer after, miles."),
        sa.Column(
            "distance_miles",
            sa.Double(),
            nullable=True,
            comment="Distance that belongs to no drive, miles.",
        ),
        sa.Column(
            "from_battery_level",
            sa.SmallInteger(),
            nullable=True,
            comment="State of charge before, %.",
        ),
        sa.Column(
            "to_battery_level",
            sa.SmallInteger(),
            nullable=True,
            comment="State of charge after, %.",
        ),
        sa.ForeignKeyConstraint(
            ["vehicle_id"], ["vehicles.id"], name=op.f("unseen_distances_vehicle_id_fkey")
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "after", name=op.f("unseen_distances_pkey")),
        comment="What vehicles drove unseen, between two samples, so that it belongs to no drive.",
    )
    op.create_table(
        "wall_connector_charges",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column(
            "din",
            sa.Text(),
            nullable=False,
            comment="The wall connector; empty where Tesla does not say.",
        ),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), nullable=False, comment="When it began (UTC)."
        ),
        sa.Column("duration_s", sa.Double(), nullable=True, comment="How long it took, s."),
        sa.Column("energy_wh", sa.Double(), nullable=True, comment="Energy given out, Wh."),
        sa.Column(
            "vin",
            sa.Text(),
            nullable=True,
            comment="The vehicle that was charged; null where Tesla does not say.",
        ),
        sa.Column("vehicle_id", sa.Uuid(), nullable=True, comment="The vehicle: vehicles.id."),
        sa.Column(
            "session_started_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The plug-in that it belongs to, as far as one is known: "
            "charging_sessions.started_at (UTC).",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["energy_sites.id"], name=op.f("wall_connector_charges_site_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "site_id", "din", "started_at", name=op.f("wall_connector_charges_pkey")
        ),
        comment="Charges as the wall connectors counted them, from telemetry_history.",
    )
    op.create_table(
        "charging_costs",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "session_started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The plug-in: charging_sessions.started_at (UTC).",
        ),
        sa.Column(
            "line",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Number of the line, from 1.",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="energy, time or fee of a tariff; bill, idle_fee, congestion_fee … of a bill.",
        ),
        sa.Column(
            "start",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Start of the stretch at one price (UTC); null for the whole session.",
        ),
        sa.Column("end", sa.DateTime(timezone=True), nullable=True, comment="Its end (UTC)."),
        sa.Column("energy_kwh", sa.Double(), nullable=True, comment="Energy, kWh."),
        sa.Column(
            "solar_kwh", sa.Double(), nullable=True, comment="Part of it that was solar, kWh."
        ),
        sa.Column("grid_kwh", sa.Double(), nullable=True, comment="The rest, kWh."),
        sa.Column("minutes", sa.Double(), nullable=True, comment="Minutes that are paid for."),
        sa.Column("unit", sa.Text(), nullable=True, comment="What the price is of: kwh, minute."),
        sa.Column(
            "buy_price",
            sa.Numeric(precision=18, scale=6),
            nullable=True,
            comment="Price of a unit, in `currency`.",
        ),
        sa.Column(
            "sell_price",
            sa.Numeric(precision=18, scale=6),
            nullable=True,
            comment="What exporting a kWh would have earned.",
        ),
        sa.Column(
            "amount_grid",
            sa.Numeric(precision=38, scale=15),
            nullable=True,
            comment="Amount, all energy at the price of the grid.",
        ),
        sa.Column(
            "amount_solar",
            sa.Numeric(precision=38, scale=15),
            nullable=True,
            comment="Amount with solar at what its export would have earned.",
        ),
        sa.Column("currency", sa.String(length=3), nullable=True, comment="Currency, ISO 4217."),
        sa.Column(
            "tariff_id", sa.Uuid(), nullable=True, comment="The tariff's version: tariffs.id."
        ),
        sa.Column("tariff_name", sa.Text(), nullable=True, comment="Name of the tariff."),
        sa.Column("is_paid", sa.Boolean(), nullable=True, comment="Whether a billed fee is paid."),
        sa.ForeignKeyConstraint(
            ["vehicle_id", "session_started_at"],
            ["charging_sessions.vehicle_id", "charging_sessions.started_at"],
            name=op.f("charging_costs_vehicle_id_session_started_at_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "vehicle_id", "session_started_at", "line", name=op.f("charging_costs_pkey")
        ),
        comment="The lines that explain the cost of each plug-in.",
    )
    op.create_table(
        "charging_pieces",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "start", sa.DateTime(timezone=True), nullable=False, comment="Start of the piece (UTC)."
        ),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False, comment="Its end (UTC)."),
        sa.Column(
            "session_started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The plug-in: charging_sessions.started_at (UTC).",
        ),
        sa.Column(
            "energy_added_kwh", sa.Double(), nullable=True, comment="Energy into the battery, kWh."
        ),
        sa.Column(
            "energy_used_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy from the wall as measured, kWh; null where it was not.",
        ),
        sa.Column(
            "energy_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy drawn, kWh: measured, or from what the car counted.",
        ),
        sa.Column(
            "basis", sa.Text(), nullable=False, comment="Where it comes from: wall, counter or soc."
        ),
        sa.ForeignKeyConstraint(
            ["vehicle_id", "session_started_at"],
            ["charging_sessions.vehicle_id", "charging_sessions.started_at"],
            name=op.f("charging_pieces_vehicle_id_session_started_at_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "start", name=op.f("charging_pieces_pkey")),
        comment="The energy of each plug-in over time, for prices and for where it came from.",
    )
    op.create_table(
        "charging_segments",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When charging began (UTC): the best estimate.",
        ),
        sa.Column(
            "session_started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The plug-in: charging_sessions.started_at (UTC).",
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When charging ended (UTC): the best estimate; null while it lasts.",
        ),
        sa.Column(
            "started_after",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The last sample before charging began (UTC); null if there is none.",
        ),
        sa.Column(
            "started_by",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The first sample at or after charging began (UTC).",
        ),
        sa.Column(
            "ended_after",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The last sample before it ended (UTC).",
        ),
        sa.Column(
            "ended_by",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The first sample at or after it ended (UTC); null while it lasts.",
        ),
        sa.Column(
            "start_battery_level",
            sa.SmallInteger(),
            nullable=True,
            comment="State of charge at the start, %.",
        ),
        sa.Column(
            "end_battery_level",
            sa.SmallInteger(),
            nullable=True,
            comment="State of charge at the end, %.",
        ),
        sa.Column(
            "energy_added_kwh", sa.Double(), nullable=True, comment="Energy into the battery, kWh."
        ),
        sa.Column(
            "energy_used_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy from the wall as measured, kWh; see its coverage.",
        ),
        sa.Column(
            "energy_used_coverage_pct",
            sa.Double(),
            nullable=True,
            comment="Part of the time in which it was measured, %.",
        ),
        sa.Column(
            "charge_rate_kw_avg", sa.Double(), nullable=True, comment="Mean charging power, kW."
        ),
        sa.Column(
            "charge_rate_kw_max", sa.Double(), nullable=True, comment="Highest charging power, kW."
        ),
        sa.Column(
            "is_inferred",
            sa.Boolean(),
            nullable=False,
            comment="Whether no sample shows it charging.",
        ),
        sa.Column("samples", sa.Integer(), nullable=False, comment="How many samples show it."),
        sa.ForeignKeyConstraint(
            ["vehicle_id", "session_started_at"],
            ["charging_sessions.vehicle_id", "charging_sessions.started_at"],
            name=op.f("charging_segments_vehicle_id_session_started_at_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "started_at", name=op.f("charging_segments_pkey")),
        comment="One row per stretch of charging within a plug-in.",
    )
    op.create_table(
        "driver_rules",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the rule.",
        ),
        sa.Column("driver_id", sa.Uuid(), nullable=False, comment="Who drives: drivers.id."),
        sa.Column("vehicle_id", sa.Uuid(), nullable=True, comment="The vehicle: vehicles.id."),
        sa.Column(
            "start_place_id",
            sa.Uuid(),
            nullable=True,
            comment="Where the drive begins: places.id; null is anywhere.",
        ),
        sa.Column(
            "end_place_id",
            sa.Uuid(),
            nullable=True,
            comment="Where it ends: places.id; null is anywhere.",
        ),
        sa.Column(
            "weekdays",
            sa.SmallInteger(),
            nullable=True,
            comment="Sum of 1 for Monday, 2 for Tuesday, 4 for Wednesday … 64 for Sunday; null is any day.",
        ),
        sa.Column(
            "start_time", sa.Time(), nullable=True, comment="From when, local; null is midnight."
        ),
        sa.Column(
            "end_time",
            sa.Time(),
            nullable=True,
            comment="Until when, local; on the next day if not after the start.",
        ),
        sa.Column(
            "priority",
            sa.SmallInteger(),
            server_default="100",
            nullable=False,
            comment="Of rules that fit, the lowest counts.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.ForeignKeyConstraint(
            ["driver_id"],
            ["drivers.id"],
            name=op.f("driver_rules_driver_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["end_place_id"],
            ["places.id"],
            name=op.f("driver_rules_end_place_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["start_place_id"],
            ["places.id"],
            name=op.f("driver_rules_start_place_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["vehicle_id"], ["vehicles.id"], name=op.f("driver_rules_vehicle_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("driver_rules_pkey")),
        comment="Who drives when and where; a rule of a vehicle alone is its default driver.",
    )
    op.create_table(
        "tariff_rates",
        sa.Column(
            "tariff_id", sa.Uuid(), nullable=False, comment="The tariff's version: tariffs.id."
        ),
        sa.Column(
            "position",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="The lowest that holds counts.",
        ),
        sa.Column(
            "direction",
            sa.Text(),
            server_default="buy",
            nullable=False,
            comment="buy, or sell: what export earns.",
        ),
        sa.Column(
            "unit",
            sa.Text(),
            server_default="kwh",
            nullable=False,
            comment="What the price is of: kwh or minute.",
        ),
        sa.Column(
            "price",
            sa.Numeric(precision=18, scale=6),
            nullable=False,
            comment="Price of a unit, in the tariff's currency.",
        ),
        sa.Column(
            "season_first",
            sa.String(length=5),
            nullable=True,
            comment="First day of the season, MM-DD; null for the year.",
        ),
        sa.Column(
            "season_last",
            sa.String(length=5),
            nullable=True,
            comment="Last day of the season, MM-DD.",
        ),
        sa.Column(
            "weekdays",
            sa.String(length=7),
            server_default="1234567",
            nullable=False,
            comment="Days on which its hours begin, Monday 1 to Sunday 7.",
        ),
        sa.Column(
            "start_time",
            sa.Time(),
            server_default="00:00",
            nullable=False,
            comment="When its hours begin, local.",
        ),
        sa.Column(
            "end_time",
            sa.Time(),
            server_default="00:00",
            nullable=False,
            comment="When they end, local; on the next day if not after the start.",
        ),
        sa.CheckConstraint(
            "direction in ('buy', 'sell')", name=op.f("tariff_rates_direction_check")
        ),
        sa.CheckConstraint("unit in ('kwh', 'minute')", name=op.f("tariff_rates_unit_check")),
        sa.CheckConstraint("price <> 'NaN'", name=op.f("tariff_rates_price_check")),
        sa.ForeignKeyConstraint(
            ["tariff_id"],
            ["tariffs.id"],
            name=op.f("tariff_rates_tariff_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tariff_id", "position", name=op.f("tariff_rates_pkey")),
        comment="Prices of each version of a tariff, and when they hold by the wall clock.",
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "started_after",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The last sample before the cable went in (UTC); null if there is none.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "started_by",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The first sample at or after the cable went in (UTC).",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "ended_after",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The last sample before it came out (UTC).",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "ended_by",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The first sample at or after it came out (UTC); null while it lasts.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "energy_used_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy from the wall as measured, kWh; see its coverage.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "energy_used_coverage_pct",
            sa.Double(),
            nullable=True,
            comment="Part of the charging time in which it was measured, %.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "efficiency_pct",
            sa.Double(),
            nullable=True,
            comment="Energy into the battery over that from the wall, %.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "idle_energy_used_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy from the wall while not charging, kWh: preheating.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "phases",
            sa.SmallInteger(),
            nullable=True,
            comment="Phases that were used, corrected; null for DC.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column("is_dc", sa.Boolean(), nullable=True, comment="Whether it was charged with DC."),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "is_inferred",
            sa.Boolean(),
            nullable=False,
            comment="Whether no sample was taken while plugged in.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "is_estimated",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether energy comes from the state of charge, for want of a counter.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "charge_limit_soc",
            sa.SmallInteger(),
            nullable=True,
            comment="Charge limit at the end, % state of charge.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column("odometer", sa.Double(), nullable=True, comment="Odometer, miles."),
    )
    op.add_column(
        "charging_sessions",
        sa.Column("outside_temp", sa.Double(), nullable=True, comment="Outside temperature, °C."),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "fast_charger_type",
            sa.Text(),
            nullable=True,
            comment="Type of fast charger as the car reports it.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "fast_charger_brand",
            sa.Text(),
            nullable=True,
            comment="Brand of fast charger as the car reports it.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "conn_charge_cable", sa.Text(), nullable=True, comment="Cable as the car reports it."
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "segments",
            sa.Integer(),
            nullable=False,
            comment="How many stretches of charging it has.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column("samples", sa.Integer(), nullable=False, comment="How many samples show it."),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "place_id",
            sa.Uuid(),
            nullable=True,
            comment="The place: places.id; null outside all places.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "site_id",
            sa.Uuid(),
            nullable=True,
            comment="The energy site that it was charged at: energy_sites.id.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "cost_with_solar",
            sa.Numeric(precision=12, scale=4),
            nullable=True,
            comment="What it cost with the solar part at what its export would have earned, in `cost_currency`.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "cost_reason",
            sa.Text(),
            nullable=True,
            comment="Why a cost is not known; null if it is.",
        ),
    )
    op.add_column(
        "charging_sessions",
        sa.Column(
            "cost_basis",
            sa.Text(),
            nullable=True,
            comment="Digest of all that the cost was computed from; null before.",
        ),
    )
    op.alter_column(
        "charging_sessions",
        "started_at",
        existing_type=postgresql.TIMESTAMP(timezone=True),
        comment="When the cable went in (UTC): the best estimate.",
        existing_comment="When the cable went in (UTC).",
        existing_nullable=False,
    )
    op.alter_column(
        "charging_sessions",
        "ended_at",
        existing_type=postgresql.TIMESTAMP(timezone=True),
        comment="When the cable came out (UTC): the best estimate; null while plugged in.",
        existing_comment="When the cable came out (UTC); null while plugged in.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "charger_name",
        existing_type=sa.TEXT(),
        comment="Name of the charger, as a bill gives it.",
        existing_comment="Name of the charger.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "cost",
        existing_type=sa.NUMERIC(precision=12, scale=4),
        comment="What it cost, all energy at the price of the grid, or what the bill says; in `cost_currency`.",
        existing_comment="Cost, in `cost_currency`.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "cost_currency",
        existing_type=sa.VARCHAR(length=3),
        comment="Currency of the costs, ISO 4217.",
        existing_comment="Currency of the cost, ISO 4217.",
        existing_nullable=True,
    )

    op.execute(
        """
        create function household_time_zone() returns text language sql stable as $$
            select coalesce(
                (
                    select time_zone from public.energy_sites
                    where removed_at is null and time_zone is not null
                    order by created_at, id limit 1
                ),
                'UTC'
            )
        $$
        """
    )
    op.execute(
        "comment on function household_time_zone() is "
        "'The time zone of the first energy site of the account, else UTC.'"
    )
    op.execute(
        "create trigger set_updated_at before update on places "
        "for each row when (old.* is distinct from new.*) execute function set_updated_at()"
    )


def downgrade() -> None:
    op.execute("drop function household_time_zone()")
    op.alter_column(
        "charging_sessions",
        "cost_currency",
        existing_type=sa.VARCHAR(length=3),
        comment="Currency of the cost, ISO 4217.",
        existing_comment="Currency of the costs, ISO 4217.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "cost",
        existing_type=sa.NUMERIC(precision=12, scale=4),
        comment="Cost, in `cost_currency`.",
        existing_comment="What it cost, all energy at the price of the grid, or what the bill says; in `cost_currency`.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "charger_name",
        existing_type=sa.TEXT(),
        comment="Name of the charger.",
        existing_comment="Name of the charger, as a bill gives it.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "ended_at",
        existing_type=postgresql.TIMESTAMP(timezone=True),
        comment="When the cable came out (UTC); null while plugged in.",
        existing_comment="When the cable came out (UTC): the best estimate; null while plugged in.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "started_at",
        existing_type=postgresql.TIMESTAMP(timezone=True),
        comment="When the cable went in (UTC).",
        existing_comment="When the cable went in (UTC): the best estimate.",
        existing_nullable=False,
    )
    op.drop_column("charging_sessions", "cost_basis")
    op.drop_column("charging_sessions", "cost_reason")
    op.drop_column("charging_sessions", "cost_with_solar")
    op.drop_column("charging_sessions", "site_id")
    op.drop_column("charging_sessions", "place_id")
    op.drop_column("charging_sessions", "samples")
    op.drop_column("charging_sessions", "segments")
    op.drop_column("charging_sessions", "conn_charge_cable")
    op.drop_column("charging_sessions", "fast_charger_brand")
    op.drop_column("charging_sessions", "fast_charger_type")
    op.drop_column("charging_sessions", "outside_temp")
    op.drop_column("charging_sessions", "odometer")
    op.drop_column("charging_sessions", "charge_limit_soc")
    op.drop_column("charging_sessions", "is_estimated")
    op.drop_column("charging_sessions", "is_inferred")
    op.drop_column("charging_sessions", "is_dc")
    op.drop_column("charging_sessions", "phases")
    op.drop_column("charging_sessions", "idle_energy_used_kwh")
    op.drop_column("charging_sessions", "efficiency_pct")
    op.drop_column("charging_sessions", "energy_used_coverage_pct")
    op.drop_column("charging_sessions", "energy_used_kwh")
    op.drop_column("charging_sessions", "ended_by")
    op.drop_column("charging_sessions", "ended_after")
    op.drop_column("charging_sessions", "started_by")
    op.drop_column("charging_sessions", "started_after")
    op.drop_table("tariff_rates")
    op.drop_table("driver_rules")
    op.drop_table("charging_segments")
    op.drop_table("charging_pieces")
    op.drop_table("charging_costs")
    op.drop_table("wall_connector_charges")
    op.drop_table("unseen_distances")
    op.drop_index(
        op.f("tariffs_name_valid_from_idx"),
        table_name="tariffs",
        postgresql_nulls_not_distinct=True,
    )
    op.drop_table("tariffs")
    op.drop_table("places")
    op.drop_table("drives")
    op.drop_table("charging_fees")
    op.drop_column("charging_sessions", "connector_site_id")
    op.drop_column("charging_sessions", "connector_live_kwh")
    op.drop_column("charging_sessions", "site_intervals")
    op.drop_column("vehicles", "usable_capacity_kwh")
    op.drop_table("derived_from")
    op.drop_table("sample_changes")
    op.drop_index(op.f("charging_bills_vin_started_at_idx"), table_name="charging_bills")
    op.drop_table("charging_bills")
