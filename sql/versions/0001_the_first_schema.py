"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


WITH_UPDATED_AT = ("private.user_config", "vehicles", "drivers", "energy_sites")


def upgrade() -> None:
    op.execute("create schema private")
    op.execute("comment on schema private is 'Sealed secrets; out of the reach of readers.'")
    op.create_table(
        "drivers",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the driver.",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="The driver's name."),
        sa.Column("profile_id", sa.Text(), nullable=True, comment="The driver profile in the car."),
        sa.Column(
            "is_primary",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether this is the main driver.",
        ),
        sa.Column("avatar_url", sa.Text(), nullable=True, comment="Address of a picture."),
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
        sa.PrimaryKeyConstraint("id", name=op.f("drivers_pkey")),
        sa.UniqueConstraint("profile_id", name=op.f("drivers_profile_id_key")),
        comment="People who drive.",
    )
    op.create_table(
        "energy_intervals",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column(
            "timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Start of the five minutes (UTC).",
        ),
        sa.Column(
            "solar_wh", sa.Double(), nullable=True, comment="Solar energy produced, Wh; >= 0."
        ),
        sa.Column(
            "generator_wh",
            sa.Double(),
            nullable=True,
            comment="Generator energy produced, Wh; >= 0.",
        ),
        sa.Column(
            "battery_discharged_wh",
            sa.Double(),
            nullable=True,
            comment="Energy out of the batteries, Wh; >= 0.",
        ),
        sa.Column(
            "battery_charged_wh",
            sa.Double(),
            nullable=True,
            comment="Energy into the batteries, Wh; >= 0.",
        ),
        sa.Column(
            "grid_imported_wh",
            sa.Double(),
            nullable=True,
            comment="Energy from the grid, Wh; >= 0.",
        ),
        sa.Column(
            "grid_exported_wh",
            sa.Double(),
            nullable=True,
            comment="Energy into the grid, Wh; >= 0.",
        ),
        sa.Column(
            "home_wh",
            sa.Double(),
            nullable=True,
            comment="Energy used at home, cars included, Wh; >= 0.",
        ),
        sa.Column(
            "solar_to_home_wh",
            sa.Double(),
            nullable=True,
            comment="Solar energy used at home, Wh; >= 0.",
        ),
        sa.Column(
            "solar_to_battery_wh",
            sa.Double(),
            nullable=True,
            comment="Solar energy into the batteries, Wh; >= 0.",
        ),
        sa.Column(
            "solar_to_grid_wh",
            sa.Double(),
            nullable=True,
            comment="Solar energy exported, Wh; >= 0.",
        ),
        sa.Column(
            "battery_to_home_wh",
            sa.Double(),
            nullable=True,
            comment="Battery energy used at home, Wh; >= 0.",
        ),
        sa.Column(
            "battery_to_grid_wh",
            sa.Double(),
            nullable=True,
            comment="Battery energy exported, Wh; >= 0.",
        ),
        sa.Column(
            "grid_to_home_wh",
            sa.Double(),
            nullable=True,
            comment="Grid energy used at home, Wh; >= 0.",
        ),
        sa.Column(
            "grid_to_battery_wh",
            sa.Double(),
            nullable=True,
            comment="Grid energy into the batteries, Wh; >= 0.",
        ),
        sa.Column(
            "generator_to_home_wh",
            sa.Double(),
            nullable=True,
            comment="Generator energy used at home, Wh; >= 0.",
        ),
        sa.Column(
            "generator_to_battery_wh",
            sa.Double(),
            nullable=True,
            comment="Generator energy into the batteries, Wh; >= 0.",
        ),
        sa.Column(
            "generator_to_grid_wh",
            sa.Double(),
            nullable=True,
            comment="Generator energy exported, Wh; >= 0.",
        ),
        sa.Column(
            "soc_pct",
            sa.Double(),
            nullable=True,
            comment="State of charge at the interval's end, %; null where not reported.",
        ),
        sa.Column(
            "source",
            sa.Text(),
            nullable=False,
            comment="Where the energy comes from: calendar_history_energy.",
        ),
        sa.Column(
            "coverage",
            sa.Double(),
            nullable=False,
            comment="Part of the five minutes that was measured, 0 to 1.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("site_id", "timestamp", name=op.f("energy_intervals_pkey")),
        comment="Energy and its seven flows per site and five minutes. Partitioned by month (UTC).",
        info={"partition_by": "month"},
        postgresql_partition_by="RANGE (timestamp)",
    )
    op.create_table(
        "energy_sites",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the energy site.",
        ),
        sa.Column(
            "tesla_site_id",
            sa.BigInteger(),
            nullable=True,
            comment="Tesla's energy_site_id; null for a site known only from an import.",
        ),
        sa.Column("site_name", sa.Text(), nullable=True, comment="The name its owner gave it."),
        sa.Column(
            "time_zone",
            sa.Text(),
            nullable=True,
            comment="IANA time zone that the site's local days follow.",
        ),
        sa.Column(
            "battery_count", sa.SmallInteger(), nullable=True, comment="Number of Powerwalls."
        ),
        sa.Column(
            "total_battery_capacity_kwh",
            sa.Double(),
            nullable=True,
            comment="Nameplate energy of the batteries, kWh.",
        ),
        sa.Column(
            "solar_capacity_kw",
            sa.Double(),
            nullable=True,
            comment="Rated power of the solar array, kW.",
        ),
        sa.Column(
            "raw_data",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The site_info answer as received.",
        ),
        sa.Column(
            "site_info_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When site_info was last read (UTC).",
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
        sa.PrimaryKeyConstraint("id", name=op.f("energy_sites_pkey")),
        sa.UniqueConstraint("tesla_site_id", name=op.f("energy_sites_tesla_site_id_key")),
        comment="Energy sites of the account, from /products and site_info.",
    )
    op.create_table(
        "energy_states",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column(
            "timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Time of the answer (UTC).",
        ),
        sa.Column(
            "is_stale",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether a newer answer was already stored when this one came; never the current state.",
        ),
        sa.Column(
            "solar_power_w",
            sa.Double(),
            nullable=True,
            comment="Solar power, W; >= 0 produces (small negatives at night).",
        ),
        sa.Column(
            "battery_power_w",
            sa.Double(),
            nullable=True,
            comment="Battery power, W; > 0 discharges, < 0 charges.",
        ),
        sa.Column(
            "grid_power_w",
            sa.Double(),
            nullable=True,
            comment="Grid power, W; > 0 imports, < 0 exports.",
        ),
        sa.Column(
            "load_power_w",
            sa.Double(),
            nullable=True,
            comment="Home power, W; > 0 consumes, cars included.",
        ),
        sa.Column(
            "generator_power_w", sa.Double(), nullable=True, comment="Generator power, W; >= 0."
        ),
        sa.Column(
            "battery_percentage",
            sa.Double(),
            nullable=True,
            comment="State of charge of the batteries, %; null without a battery.",
        ),
        sa.Column(
            "energy_left_wh",
            sa.Double(),
            nullable=True,
            comment="Energy in the batteries, Wh; often absent.",
        ),
        sa.Column(
            "total_pack_energy_wh",
            sa.Double(),
            nullable=True,
            comment="Energy of full batteries, Wh; often absent.",
        ),
        sa.Column("grid_status", sa.Text(), nullable=True, comment="Active, Inactive or Unknown."),
        sa.Column(
            "island_status",
            sa.Text(),
            nullable=True,
            comment="on_grid, off_grid, off_grid_intentional, off_grid_unintentional.",
        ),
        sa.Column(
            "raw_data",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The live_status answer as received.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("site_id", "timestamp", name=op.f("energy_states_pkey")),
        comment="Samples of sites, from live_status: solar + battery + grid + generator = load. Partitioned by day of `timestamp` (UTC).",
        info={"partition_by": "day"},
        postgresql_partition_by="RANGE (timestamp)",
    )
    op.create_table(
        "user_config",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the Tesla account; bound into the sealed tokens as associated data.",
        ),
        sa.Column(
            "tesla_refresh_token_encrypted",
            sa.LargeBinary(),
            nullable=True,
            comment="Refresh token, AES-256-GCM.",
        ),
        sa.Column(
            "encryption_iv",
            sa.LargeBinary(),
            nullable=True,
            comment="Nonce of the sealed refresh token, 96 bits.",
        ),
        sa.Column(
            "encryption_tag",
            sa.LargeBinary(),
            nullable=True,
            comment="Tag of the sealed refresh token, 128 bits.",
        ),
        sa.Column(
            "access_token_encrypted",
            sa.LargeBinary(),
            nullable=True,
            comment="Access token, AES-256-GCM.",
        ),
        sa.Column(
            "access_token_iv",
            sa.LargeBinary(),
            nullable=True,
            comment="Nonce of the sealed access token, 96 bits.",
        ),
        sa.Column(
            "access_token_tag",
            sa.LargeBinary(),
            nullable=True,
            comment="Tag of the sealed access token, 128 bits.",
        ),
        sa.Column(
            "access_token_expires_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the access token ends (UTC).",
        ),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="The account's settings.",
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
        sa.PrimaryKeyConstraint("id", name=op.f("user_config_pkey")),
        schema="private",
        comment="One row per Tesla account; a household has one. Tokens are sealed.",
    )
    op.create_table(
        "rejected_payloads",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the rejected payload.",
        ),
        sa.Column(
            "endpoint", sa.Text(), nullable=False, comment="What was asked, such as vehicle_data."
        ),
        sa.Column(
            "subject",
            sa.Text(),
            nullable=False,
            comment="Whose answer it is: a vehicle's or site's id.",
        ),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=False,
            comment="Why it could not be decoded, in a sentence.",
        ),
        sa.Column("body", sa.Text(), nullable=False, comment="The payload as received."),
        sa.Column(
            "body_digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the body; the same payload is kept once.",
        ),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it first came (UTC).",
        ),
        sa.Column(
            "times_seen",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="How often it came.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("rejected_payloads_pkey")),
        sa.UniqueConstraint(
            "endpoint",
            "subject",
            "body_digest",
            name=op.f("rejected_payloads_endpoint_subject_body_digest_key"),
        ),
        comment="Payloads that could not be decoded; nothing is dropped.",
    )
    op.create_table(
        "vehicle_states",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Newest sub-state time of the answer (UTC).",
        ),
        sa.Column(
            "is_stale",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether a newer answer was already stored when this one came; never the current state.",
        ),
        sa.Column(
            "latitude",
            sa.Double(),
            nullable=True,
            comment="Latitude, degrees north, WGS 84; null without the location scope.",
        ),
        sa.Column(
            "longitude",
            sa.Double(),
            nullable=True,
            comment="Longitude, degrees east, WGS 84; null without the location scope.",
        ),
        sa.Column(
            "gps_timestamp",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the position was fixed (UTC); drive_state.gps_as_of.",
        ),
        sa.Column(
            "heading",
            sa.SmallInteger(),
            nullable=True,
            comment="Heading, degrees clockwise from north, 0 to 359.",
        ),
        sa.Column(
            "speed",
            sa.Double(),
            nullable=True,
            comment="Speed, mph; 0 when parked, null when unknown.",
        ),
        sa.Column(
            "power",
            sa.Double(),
            nullable=True,
            comment="Drive power, kW; positive drives, negative charges or recuperates.",
        ),
        sa.Column(
            "shift_state",
            sa.Text(),
            nullable=True,
            comment="Gear: P, R, N, D; null when the car is off.",
        ),
        sa.Column("odometer", sa.Double(), nullable=True, comment="Odometer, miles."),
        sa.Column("battery_level", sa.SmallInteger(), nullable=True, comment="State of charge, %."),
        sa.Column(
            "usable_battery_level",
            sa.SmallInteger(),
            nullable=True,
            comment="State of charge usable now, %; lower when the pack is cold.",
        ),
        sa.Column("battery_range", sa.Double(), nullable=True, comment="Rated range, miles."),
        sa.Column("ideal_battery_range", sa.Double(), nullable=True, comment="Ideal range, miles."),
        sa.Column(
            "est_battery_range",
            sa.Double(),
            nullable=True,
            comment="Range estimated from recent driving, miles.",
        ),
        sa.Column(
            "charging_state",
            sa.Text(),
            nullable=True,
            comment="Disconnected, NoPower, Starting, Charging, Stopped or Complete.",
        ),
        sa.Column(
            "charge_rate",
            sa.Double(),
            nullable=True,
            comment="Charge rate, miles of range per hour.",
        ),
        sa.Column(
            "charger_power",
            sa.Double(),
            nullable=True,
            comment="Charger power, kW, positive into the car; whole numbers from Tesla.",
        ),
        sa.Column(
            "charger_voltage",
            sa.Double(),
            nullable=True,
            comment="Charger voltage, V; about 2 while charging with DC.",
        ),
        sa.Column(
            "charger_actual_current",
            sa.Double(),
            nullable=True,
            comment="Charger current per phase, A; 0 while charging with DC.",
        ),
        sa.Column(
            "charger_phases",
            sa.SmallInteger(),
            nullable=True,
            comment="Phases as reported: 1, 2 (reported on three-phase) or 3.",
        ),
        sa.Column(
            "charge_energy_added",
            sa.Double(),
            nullable=True,
            comment="Energy into the battery since plug-in, kWh; a noisy counter.",
        ),
        sa.Column(
            "charge_limit_soc",
            sa.SmallInteger(),
            nullable=True,
            comment="Charge limit, % state of charge.",
        ),
        sa.Column(
            "fast_charger_present",
            sa.Boolean(),
            nullable=True,
            comment="Whether a DC fast charger is connected.",
        ),
        sa.Column(
            "fast_charger_type",
            sa.Text(),
            nullable=True,
            comment="Tesla, Combo, CHAdeMO, GB_DC, ACSingleWireCAN, MCSingleWireCAN.",
        ),
        sa.Column(
            "fast_charger_brand",
            sa.Text(),
            nullable=True,
            comment="Brand of the fast charger, such as Tesla.",
        ),
        sa.Column(
            "conn_charge_cable", sa.Text(), nullable=True, comment="Cable: IEC, SAE, GB_AC, GB_DC."
        ),
        sa.Column(
            "destination_name", sa.Text(), nullable=True, comment="Destination of the navigation."
        ),
        sa.Column(
            "destination_latitude",
            sa.Double(),
            nullable=True,
            comment="Latitude of the destination, degrees north.",
        ),
        sa.Column(
            "destination_longitude",
            sa.Double(),
            nullable=True,
            comment="Longitude of the destination, degrees east.",
        ),
        sa.Column(
            "destination_eta",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Expected arrival (UTC).",
        ),
        sa.Column(
            "destination_distance",
            sa.Double(),
            nullable=True,
            comment="Distance to the destination, miles.",
        ),
        sa.Column("driver_id", sa.Uuid(), nullable=True, comment="Who drives: drivers.id."),
        sa.Column("inside_temp", sa.Double(), nullable=True, comment="Cabin temperature, °C."),
        sa.Column("outside_temp", sa.Double(), nullable=True, comment="Outside temperature, °C."),
        sa.Column(
            "is_locked", sa.Boolean(), nullable=True, comment="Whether the doors are locked."
        ),
        sa.Column(
            "sentry_mode",
            sa.Boolean(),
            nullable=True,
            comment="Whether sentry mode is on; null on cars without it.",
        ),
        sa.Column(
            "firmware", sa.Text(), nullable=True, comment="Firmware version such as 2023.38.6."
        ),
        sa.Column(
            "tpms_pressure_fl", sa.Double(), nullable=True, comment="Tyre pressure front left, bar."
        ),
        sa.Column(
            "tpms_pressure_fr",
            sa.Double(),
            nullable=True,
            comment="Tyre pressure front right, bar.",
        ),
        sa.Column(
            "tpms_pressure_rl", sa.Double(), nullable=True, comment="Tyre pressure rear left, bar."
        ),
        sa.Column(
            "tpms_pressure_rr", sa.Double(), nullable=True, comment="Tyre pressure rear right, bar."
        ),
        sa.Column(
            "raw_data",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The vehicle_data answer as received, without its tokens.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "timestamp", name=op.f("vehicle_states_pkey")),
        comment="Samples of vehicles, from vehicle_data. Partitioned by day of `timestamp` (UTC).",
        info={"partition_by": "day"},
        postgresql_partition_by="RANGE (timestamp)",
    )
    op.create_table(
        "vehicles",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the vehicle.",
        ),
        sa.Column("tesla_id", sa.BigInteger(), nullable=False, comment="Tesla's id (`id_s`)."),
        sa.Column(
            "vin",
            sa.String(length=17),
            nullable=False,
            comment="Vehicle identification number, ISO 3779.",
        ),
        sa.Column("display_name", sa.Text(), nullable=True, comment="The name its owner gave it."),
        sa.Column(
            "model",
            sa.Text(),
            nullable=True,
            comment="Model such as Model 3; from vehicle_config.car_type, else from the VIN.",
        ),
        sa.Column(
            "year",
            sa.SmallInteger(),
            nullable=True,
            comment="Model year; from the VIN's tenth character.",
        ),
        sa.Column(
            "color",
            sa.Text(),
            nullable=True,
            comment="Paint as Tesla names it (vehicle_config.exterior_color).",
        ),
        sa.Column(
            "trim",
            sa.Text(),
            nullable=True,
            comment="Trim badge as Tesla gives it (vehicle_config.trim_badging), such as 74d.",
        ),
        sa.Column(
            "raw_data",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The product as received, without its tokens.",
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
        sa.PrimaryKeyConstraint("id", name=op.f("vehicles_pkey")),
        sa.UniqueConstraint("tesla_id", name=op.f("vehicles_tesla_id_key")),
        sa.UniqueConstraint("vin", name=op.f("vehicles_vin_key")),
        comment="Vehicles of the account, from /products.",
    )
    op.create_table(
        "charging_sessions",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the plug-in.",
        ),
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the cable went in (UTC).",
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the cable came out (UTC); null while plugged in.",
        ),
        sa.Column(
            "duration_minutes", sa.Double(), nullable=True, comment="From start to end, minutes."
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
            "charge_rate_kw_avg", sa.Double(), nullable=True, comment="Mean charging power, kW."
        ),
        sa.Column(
            "charge_rate_kw_max", sa.Double(), nullable=True, comment="Highest charging power, kW."
        ),
        sa.Column(
            "charger_type",
            sa.Text(),
            nullable=True,
            comment="home, supercharger, destination, third_party or other.",
        ),
        sa.Column("charger_name", sa.Text(), nullable=True, comment="Name of the charger."),
        sa.Column("location_name", sa.Text(), nullable=True, comment="Name of the place."),
        sa.Column(
            "latitude",
            sa.Double(),
            nullable=True,
            comment="Latitude of the plug-in, degrees north, WGS 84.",
        ),
        sa.Column(
            "longitude",
            sa.Double(),
            nullable=True,
            comment="Longitude of the plug-in, degrees east, WGS 84.",
        ),
        sa.Column(
            "cost",
            sa.Numeric(precision=12, scale=4),
            nullable=True,
            comment="Cost, in `cost_currency`.",
        ),
        sa.Column(
            "cost_currency",
            sa.String(length=3),
            nullable=True,
            comment="Currency of the cost, ISO 4217.",
        ),
        sa.Column(
            "solar_energy_kwh",
            sa.Double(),
            nullable=True,
            comment="Part of the energy that came from the sun, kWh.",
        ),
        sa.Column(
            "solar_percentage",
            sa.Double(),
            nullable=True,
            comment="Share of the energy that came from the sun, %.",
        ),
        sa.Column(
            "status", sa.Text(), nullable=False, comment="in_progress, completed or interrupted."
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.CheckConstraint(
            "charger_type in ('home', 'supercharger', 'destination', 'third_party', 'other')",
            name=op.f("charging_sessions_charger_type_check"),
        ),
        sa.CheckConstraint(
            "status in ('in_progress', 'completed', 'interrupted')",
            name=op.f("charging_sessions_status_check"),
        ),
        sa.ForeignKeyConstraint(
            ["vehicle_id"], ["vehicles.id"], name=op.f("charging_sessions_vehicle_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("charging_sessions_pkey")),
        sa.UniqueConstraint(
            "vehicle_id", "started_at", name=op.f("charging_sessions_vehicle_id_started_at_key")
        ),
        comment="One row per plug-in, derived from vehicle_states.",
    )
    op.create_table(
        "energy_daily",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the site's day.",
        ),
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column(
            "date",
            sa.Date(),
            nullable=False,
            comment="Local calendar day of the site, 23 to 25 hours.",
        ),
        sa.Column(
            "solar_produced_kwh",
            sa.Double(),
            nullable=True,
            comment="Solar energy produced, kWh; >= 0.",
        ),
        sa.Column(
            "solar_to_home_kwh",
            sa.Double(),
            nullable=True,
            comment="Solar energy used at home, kWh; >= 0.",
        ),
        sa.Column(
            "solar_to_battery_kwh",
            sa.Double(),
            nullable=True,
            comment="Solar energy into the batteries, kWh; >= 0.",
        ),
        sa.Column(
            "solar_to_grid_kwh",
            sa.Double(),
            nullable=True,
            comment="Solar energy exported, kWh; >= 0.",
        ),
        sa.Column(
            "battery_charged_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy into the batteries, kWh; >= 0.",
        ),
        sa.Column(
            "battery_discharged_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy out of the batteries, kWh; >= 0.",
        ),
        sa.Column(
            "battery_to_home_kwh",
            sa.Double(),
            nullable=True,
            comment="Battery energy used at home, kWh; >= 0.",
        ),
        sa.Column(
            "battery_to_grid_kwh",
            sa.Double(),
            nullable=True,
            comment="Battery energy exported, kWh; >= 0.",
        ),
        sa.Column(
            "grid_imported_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy from the grid, kWh; >= 0.",
        ),
        sa.Column(
            "grid_exported_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy into the grid, kWh; >= 0.",
        ),
        sa.Column(
            "grid_to_home_kwh",
            sa.Double(),
            nullable=True,
            comment="Grid energy used at home, kWh; >= 0.",
        ),
        sa.Column(
            "grid_to_battery_kwh",
            sa.Double(),
            nullable=True,
            comment="Grid energy into the batteries, kWh; >= 0.",
        ),
        sa.Column(
            "generator_produced_kwh",
            sa.Double(),
            nullable=True,
            comment="Generator energy produced, kWh; >= 0.",
        ),
        sa.Column(
            "home_consumed_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy used at home, cars included, kWh; >= 0.",
        ),
        sa.Column(
            "self_consumption_pct",
            sa.Double(),
            nullable=True,
            comment="Share of the solar energy used on site, %.",
        ),
        sa.Column(
            "solar_offset_pct",
            sa.Double(),
            nullable=True,
            comment="Share of the home's energy met by solar as it was produced, %.",
        ),
        sa.Column(
            "coverage_pct",
            sa.Double(),
            nullable=True,
            comment="Part of the day that was measured, %; null for an imported day.",
        ),
        sa.Column(
            "source",
            sa.Text(),
            nullable=False,
            comment="Where the day comes from: calendar_history_energy or app_export.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["energy_sites.id"], name=op.f("energy_daily_site_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("energy_daily_pkey")),
        sa.UniqueConstraint("site_id", "date", name=op.f("energy_daily_site_id_date_key")),
        comment="Energy per site and local day: the sum of energy_intervals, or an imported total.",
    )
    op.create_index(op.f("energy_daily_date_idx"), "energy_daily", ["date"], unique=False)
    op.create_table(
        "energy_history",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="energy (Wh), power (W) or soe (%)."),
        sa.Column("date", sa.Date(), nullable=False, comment="Local calendar day of the site."),
        sa.Column(
            "answer", sa.JSON(), nullable=False, comment="The calendar_history answer as received."
        ),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the answer came (UTC).",
        ),
        sa.CheckConstraint(
            "kind in ('energy', 'power', 'soe')", name=op.f("energy_history_kind_check")
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["energy_sites.id"], name=op.f("energy_history_site_id_fkey")
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "date", name=op.f("energy_history_pkey")),
        comment="Tesla's calendar_history answers as received, one per site, kind and local day.",
    )

    op.execute(
        """
        create function set_updated_at() returns trigger language plpgsql as $$
        begin
            new.updated_at = now();
            return new;
        end $$
        """
    )
    for table in WITH_UPDATED_AT:
        op.execute(
            f"create trigger set_updated_at before update on {table} "
            "for each row when (old.* is distinct from new.*) execute function set_updated_at()"
        )


def downgrade() -> None:
    op.drop_table("energy_history")
    op.drop_index(op.f("energy_daily_date_idx"), table_name="energy_daily")
    op.drop_table("energy_daily")
    op.drop_table("charging_sessions")
    op.drop_table("vehicles")
    op.drop_table("vehicle_states")
    op.drop_table("rejected_payloads")
    op.drop_table("user_config", schema="private")
    op.drop_table("energy_states")
    op.drop_table("energy_sites")
    op.drop_table("energy_intervals")
    op.drop_table("drivers")
    op.execute("drop function set_updated_at()")
    op.execute("drop schema private")
