"""The tables, once: SQLAlchemy Core metadata that the migrations under `sql/` create.

Every column carries a comment with its meaning, unit, sign and source, which Postgres shows to
readers. A partitioned table names its width in `info["partition_by"]` and has no foreign keys,
which would halve the speed of `COPY` (`docs/decisions/0002-writes.md`). Not here: queries.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

PRIVATE = "private"
"""Schema of the tables that hold secrets; readers have no access to it."""


def _column(
    name: str, kind: Any, comment: str, *constraints: sa.schema.SchemaItem, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind, *constraints, comment=comment, **options)


def _id(what: str) -> sa.Column[Any]:
    return _column(
        "id", sa.Uuid, f"Identity of the {what}.", primary_key=True,
        server_default=sa.func.gen_random_uuid(),
    )  # fmt: skip


def _time(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return _column(name, sa.DateTime(timezone=True), comment, **options)


def _removed_at() -> sa.Column[Any]:
    return _time(
        "removed_at", "Since when the account no longer lists it (UTC); null while it does."
    )


def _created_at() -> sa.Column[Any]:
    return _time(
        "created_at",
        "When this row was written (UTC).",
        nullable=False,
        server_default=sa.func.now(),
    )


def _updated_at() -> sa.Column[Any]:
    return _time(
        "updated_at",
        "When this row last changed (UTC); kept by a trigger.",
        nullable=False,
        server_default=sa.func.now(),
    )


def _number(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return _column(name, sa.Double, comment, **options)


def _whole(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return _column(name, sa.SmallInteger, comment, **options)


def _text(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return _column(name, sa.Text, comment, **options)


def _flag(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return _column(name, sa.Boolean, comment, **options)


def _vehicle_id(*constraints: sa.ForeignKey, **options: Any) -> sa.Column[Any]:
    return _column("vehicle_id", sa.Uuid, "The vehicle: vehicles.id.", *constraints, **options)


def _site_id(*constraints: sa.ForeignKey, **options: Any) -> sa.Column[Any]:
    return _column("site_id", sa.Uuid, "The energy site: energy_sites.id.", *constraints, **options)


user_config = sa.Table(
    "user_config",
    metadata,
    _id("Tesla account; bound into the sealed tokens as associated data"),
    _column("tesla_refresh_token_encrypted", sa.LargeBinary, "Refresh token, AES-256-GCM."),
    _column("encryption_iv", sa.LargeBinary, "Nonce of the sealed refresh token, 96 bits."),
    _column("encryption_tag", sa.LargeBinary, "Tag of the sealed refresh token, 128 bits."),
    _column("access_token_encrypted", sa.LargeBinary, "Access token, AES-256-GCM."),
    _column("access_token_iv", sa.LargeBinary, "Nonce of the sealed access token, 96 bits."),
    _column("access_token_tag", sa.LargeBinary, "Tag of the sealed access token, 128 bits."),
    _time("access_token_expires_at", "When the access token ends (UTC)."),
    _column("settings", pg.JSONB, "The account's settings.", nullable=False, server_default="{}"),
    _created_at(),
    _updated_at(),
    schema=PRIVATE,
    comment="One row per Tesla account; a household has one. Tokens are sealed.",
)

vehicles = sa.Table(
    "vehicles",
    metadata,
    _id("vehicle"),
    _column("tesla_id", sa.BigInteger, "Tesla's id (`id_s`).", nullable=False, unique=True),
    _column(
        "vin",
        sa.String(17),
        "Vehicle identification number, ISO 3779.",
        nullable=False,
        unique=True,
    ),
    _text("display_name", "The name its owner gave it."),
    _text("model", "Model such as Model 3; from vehicle_config.car_type, else from the VIN."),
    _whole("year", "Model year; from the VIN's tenth character."),
    _text("color", "Paint as Tesla names it (vehicle_config.exterior_color)."),
    _text("trim", "Trim badge as Tesla gives it (vehicle_config.trim_badging), such as 74d."),
    _column("raw_data", pg.JSONB, "The product as received, without its tokens."),
    _removed_at(),
    _created_at(),
    _updated_at(),
    comment="Vehicles of the account, from /products.",
)

drivers = sa.Table(
    "drivers",
    metadata,
    _id("driver"),
    _text("name", "The driver's name.", nullable=False),
    _text("profile_id", "The driver profile in the car.", unique=True),
    _flag("is_primary", "Whether this is the main driver.", nullable=False,
          server_default=sa.false()),
    _text("avatar_url", "Address of a picture."),
    _created_at(),
    _updated_at(),
    comment="People who drive.",
)  # fmt: skip

vehicle_states = sa.Table(
    "vehicle_states",
    metadata,
    _vehicle_id(primary_key=True),
    _time("timestamp", "Newest sub-state time of the answer (UTC).", primary_key=True),
    _flag(
        "is_stale",
        "Whether a newer answer was already stored when this one came; never the current state.",
        nullable=False,
        server_default=sa.false(),
    ),
    _number("latitude", "Latitude, degrees north, WGS 84; null without the location scope."),
    _number("longitude", "Longitude, degrees east, WGS 84; null without the location scope."),
    _time("gps_timestamp", "When the position was fixed (UTC); drive_state.gps_as_of."),
    _whole("heading", "Heading, degrees clockwise from north, 0 to 359."),
    _number("speed", "Speed, mph; 0 when parked, null when unknown."),
    _number("power", "Drive power, kW; positive drives, negative charges or recuperates."),
    _text("shift_state", "Gear: P, R, N, D; null when the car is off."),
    _number("odometer", "Odometer, miles."),
    _whole("battery_level", "State of charge, %."),
    _whole("usable_battery_level", "State of charge usable now, %; lower when the pack is cold."),
    _number("battery_range", "Rated range, miles."),
    _number("ideal_battery_range", "Ideal range, miles."),
    _number("est_battery_range", "Range estimated from recent driving, miles."),
    _text("charging_state", "Disconnected, NoPower, Starting, Charging, Stopped or Complete."),
    _number("charge_rate", "Charge rate, miles of range per hour."),
    _number("charger_power", "Charger power, kW, positive into the car; whole numbers from Tesla."),
    _number("charger_voltage", "Charger voltage, V; about 2 while charging with DC."),
    _number("charger_actual_current", "Charger current per phase, A; 0 while charging with DC."),
    _whole("charger_phases", "Phases as reported: 1, 2 (reported on three-phase) or 3."),
    _number("charge_energy_added", "Energy into the battery since plug-in, kWh; a noisy counter."),
    _whole("charge_limit_soc", "Charge limit, % state of charge."),
    _flag("fast_charger_present", "Whether a DC fast charger is connected."),
    _text("fast_charger_type", "Tesla, Combo, CHAdeMO, GB_DC, ACSingleWireCAN, MCSingleWireCAN."),
    _text("fast_charger_brand", "Brand of the fast charger, such as Tesla."),
    _text("conn_charge_cable", "Cable: IEC, SAE, GB_AC, GB_DC."),
    _text("destination_name", "Destination of the navigation."),
    _number("destination_latitude", "Latitude of the destination, degrees north."),
    _number("destination_longitude", "Longitude of the destination, degrees east."),
    _time("destination_eta", "Expected arrival (UTC)."),
    _number("destination_distance", "Distance to the destination, miles."),
    _column("driver_id", sa.Uuid, "Who drives: drivers.id."),
    _number("inside_temp", "Cabin temperature, °C."),
    _number("outside_temp", "Outside temperature, °C."),
    _flag("is_locked", "Whether the doors are locked."),
    _flag("sentry_mode", "Whether sentry mode is on; null on cars without it."),
    _text("firmware", "Firmware version such as 2023.38.6."),
    _number("tpms_pressure_fl", "Tyre pressure front left, bar."),
    _number("tpms_pressure_fr", "Tyre pressure front right, bar."),
    _number("tpms_pressure_rl", "Tyre pressure rear left, bar."),
    _number("tpms_pressure_rr", "Tyre pressure rear right, bar."),
    _column("raw_data", pg.JSONB, "The vehicle_data answer as received, without its tokens."),
    _created_at(),
    comment="Samples of vehicles, from vehicle_data. Partitioned by day of `timestamp` (UTC).",
    info={"partition_by": "day"},
    postgresql_partition_by="RANGE (timestamp)",
)

charging_sessions = sa.Table(
    "charging_sessions",
    metadata,
    _id("plug-in"),
    _vehicle_id(sa.ForeignKey("vehicles.id"), nullable=False),
    _time("started_at", "When the cable went in (UTC).", nullable=False),
    _time("ended_at", "When the cable came out (UTC); null while plugged in."),
    _number("duration_minutes", "From start to end, minutes."),
    _whole("start_battery_level", "State of charge at the start, %."),
    _whole("end_battery_level", "State of charge at the end, %."),
    _number("energy_added_kwh", "Energy into the battery, kWh."),
    _number("charge_rate_kw_avg", "Mean charging power, kW."),
    _number("charge_rate_kw_max", "Highest charging power, kW."),
    _text("charger_type", "home, supercharger, destination, third_party or other."),
    _text("charger_name", "Name of the charger."),
    _text("location_name", "Name of the place."),
    _number("latitude", "Latitude of the plug-in, degrees north, WGS 84."),
    _number("longitude", "Longitude of the plug-in, degrees east, WGS 84."),
    _column("cost", sa.Numeric(12, 4), "Cost, in `cost_currency`."),
    _column("cost_currency", sa.String(3), "Currency of the cost, ISO 4217."),
    _number("solar_energy_kwh", "Part of the energy that came from the sun, kWh."),
    _number("solar_percentage", "Share of the energy that came from the sun, %."),
    _text("status", "in_progress, completed or interrupted.", nullable=False),
    _created_at(),
    sa.UniqueConstraint("vehicle_id", "started_at"),
    sa.CheckConstraint(
        "charger_type in ('home', 'supercharger', 'destination', 'third_party', 'other')",
        name="charger_type",
    ),
    sa.CheckConstraint("status in ('in_progress', 'completed', 'interrupted')", name="status"),
    comment="One row per plug-in, derived from vehicle_states.",
)

energy_sites = sa.Table(
    "energy_sites",
    metadata,
    _id("energy site"),
    _column("tesla_site_id", sa.BigInteger, "Tesla's energy_site_id; null for a site known only "
            "from an import.", unique=True),
    _text("site_name", "The name its owner gave it."),
    _text("time_zone", "IANA time zone that the site's local days follow."),
    _whole("battery_count", "Number of Powerwalls."),
    _number("total_battery_capacity_kwh", "Nameplate energy of the batteries, kWh."),
    _number("solar_capacity_kw", "Rated power of the solar array, kW."),
    _column("raw_data", pg.JSONB, "The site_info answer as received."),
    _time("site_info_at", "When site_info was last read (UTC)."),
    _removed_at(),
    _created_at(),
    _updated_at(),
    comment="Energy sites of the account, from /products and site_info.",
)  # fmt: skip

energy_states = sa.Table(
    "energy_states",
    metadata,
    _site_id(primary_key=True),
    _time("timestamp", "Time of the answer (UTC).", primary_key=True),
    _flag(
        "is_stale",
        "Whether a newer answer was already stored when this one came; never the current state.",
        nullable=False,
        server_default=sa.false(),
    ),
    _number("solar_power_w", "Solar power, W; >= 0 produces (small negatives at night)."),
    _number("battery_power_w", "Battery power, W; > 0 discharges, < 0 charges."),
    _number("grid_power_w", "Grid power, W; > 0 imports, < 0 exports."),
    _number("load_power_w", "Home power, W; > 0 consumes, cars included."),
    _number("generator_power_w", "Generator power, W; >= 0."),
    _number("battery_percentage", "State of charge of the batteries, %; null without a battery."),
    _number("energy_left_wh", "Energy in the batteries, Wh; often absent."),
    _number("total_pack_energy_wh", "Energy of full batteries, Wh; often absent."),
    _text("grid_status", "Active, Inactive or Unknown."),
    _text("island_status", "on_grid, off_grid, off_grid_intentional, off_grid_unintentional."),
    _column("raw_data", pg.JSONB, "The live_status answer as received."),
    _created_at(),
    comment="Samples of sites, from live_status: solar + battery + grid + generator = load. "
    "Partitioned by day of `timestamp` (UTC).",
    info={"partition_by": "day"},
    postgresql_partition_by="RANGE (timestamp)",
)

energy_history = sa.Table(
    "energy_history",
    metadata,
    _site_id(sa.ForeignKey("energy_sites.id"), primary_key=True),
    _text("kind", "energy (Wh), power (W) or soe (%).", primary_key=True),
    _column("date", sa.Date, "Local calendar day of the site.", primary_key=True),
    _column("answer", sa.JSON, "The calendar_history answer as received.", nullable=False),
    _time("received_at", "When the answer came (UTC).", nullable=False),
    sa.CheckConstraint("kind in ('energy', 'power', 'soe')", name="kind"),
    comment="Tesla's calendar_history answers as received, one per site, kind and local day.",
)

energy_intervals = sa.Table(
    "energy_intervals",
    metadata,
    _site_id(primary_key=True),
    _time("timestamp", "Start of the five minutes (UTC).", primary_key=True),
    _number("solar_wh", "Solar energy produced, Wh; >= 0."),
    _number("generator_wh", "Generator energy produced, Wh; >= 0."),
    _number("battery_discharged_wh", "Energy out of the batteries, Wh; >= 0."),
    _number("battery_charged_wh", "Energy into the batteries, Wh; >= 0."),
    _number("grid_imported_wh", "Energy from the grid, Wh; >= 0."),
    _number("grid_exported_wh", "Energy into the grid, Wh; >= 0."),
    _number("home_wh", "Energy used at home, cars included, Wh; >= 0."),
    _number("solar_to_home_wh", "Solar energy used at home, Wh; >= 0."),
    _number("solar_to_battery_wh", "Solar energy into the batteries, Wh; >= 0."),
    _number("solar_to_grid_wh", "Solar energy exported, Wh; >= 0."),
    _number("battery_to_home_wh", "Battery energy used at home, Wh; >= 0."),
    _number("battery_to_grid_wh", "Battery energy exported, Wh; >= 0."),
    _number("grid_to_home_wh", "Grid energy used at home, Wh; >= 0."),
    _number("grid_to_battery_wh", "Grid energy into the batteries, Wh; >= 0."),
    _number("generator_to_home_wh", "Generator energy used at home, Wh; >= 0."),
    _number("generator_to_battery_wh", "Generator energy into the batteries, Wh; >= 0."),
    _number("generator_to_grid_wh", "Generator energy exported, Wh; >= 0."),
    _number("soc_pct", "State of charge at the interval's end, %; null where not reported."),
    _text("source", "Where the energy comes from: calendar_history_energy.", nullable=False),
    _number("coverage", "Part of the five minutes that was measured, 0 to 1.", nullable=False),
    _created_at(),
    comment="Energy and its seven flows per site and five minutes. Partitioned by month (UTC).",
    info={"partition_by": "month"},
    postgresql_partition_by="RANGE (timestamp)",
)

energy_daily = sa.Table(
    "energy_daily",
    metadata,
    _id("site's day"),
    _site_id(sa.ForeignKey("energy_sites.id"), nullable=False),
    _column("date", sa.Date, "Local calendar day of the site, 23 to 25 hours.", nullable=False),
    _number("solar_produced_kwh", "Solar energy produced, kWh; >= 0."),
    _number("solar_to_home_kwh", "Solar energy used at home, kWh; >= 0."),
    _number("solar_to_battery_kwh", "Solar energy into the batteries, kWh; >= 0."),
    _number("solar_to_grid_kwh", "Solar energy exported, kWh; >= 0."),
    _number("battery_charged_kwh", "Energy into the batteries, kWh; >= 0."),
    _number("battery_discharged_kwh", "Energy out of the batteries, kWh; >= 0."),
    _number("battery_to_home_kwh", "Battery energy used at home, kWh; >= 0."),
    _number("battery_to_grid_kwh", "Battery energy exported, kWh; >= 0."),
    _number("grid_imported_kwh", "Energy from the grid, kWh; >= 0."),
    _number("grid_exported_kwh", "Energy into the grid, kWh; >= 0."),
    _number("grid_to_home_kwh", "Grid energy used at home, kWh; >= 0."),
    _number("grid_to_battery_kwh", "Grid energy into the batteries, kWh; >= 0."),
    _number("generator_produced_kwh", "Generator energy produced, kWh; >= 0."),
    _number("home_consumed_kwh", "Energy used at home, cars included, kWh; >= 0."),
    _number("self_consumption_pct", "Share of the solar energy used on site, %."),
    _number("solar_offset_pct", "Share of the home's energy met by solar as it was produced, %."),
    _number("coverage_pct", "Part of the day that was measured, %; null for an imported day."),
    _text("source", "Where the day comes from: calendar_history_energy or app_export.",
          nullable=False),
    _created_at(),
    sa.UniqueConstraint("site_id", "date"),
    sa.Index(None, "date"),
    comment="Energy per site and local day: the sum of energy_intervals, or an imported total.",
)  # fmt: skip

rejected_payloads = sa.Table(
    "rejected_payloads",
    metadata,
    _id("rejected payload"),
    _text("endpoint", "What was asked, such as vehicle_data.", nullable=False),
    _text("subject", "Whose answer it is: a vehicle's or site's id.", nullable=False),
    _text("reason", "Why it could not be decoded, in a sentence.", nullable=False),
    _text("body", "The payload as received.", nullable=False),
    _text("body_digest", "SHA-256 of the body; the same payload is kept once.", nullable=False),
    _time("received_at", "When it first came (UTC).", nullable=False, server_default=sa.func.now()),
    _column("times_seen", sa.Integer, "How often it came.", nullable=False, server_default="1"),
    sa.UniqueConstraint("endpoint", "subject", "body_digest"),
    comment="Payloads that could not be decoded; nothing is dropped.",
)
