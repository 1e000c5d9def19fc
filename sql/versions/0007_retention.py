"""What is kept of old samples, how long, and the account of what was dropped."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "energy_states_daily",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column(
            "timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Start of the local day (UTC).",
        ),
        sa.Column(
            "sample_count",
            sa.Integer(),
            nullable=False,
            comment="How many samples there were; 0 where only the line between two reaches into it.",
        ),
        sa.Column(
            "covered_s",
            sa.Double(),
            nullable=False,
            comment="Time that samples say something about, s.",
        ),
        sa.Column(
            "first_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time of its first sample (UTC).",
        ),
        sa.Column(
            "last_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time of its last sample (UTC).",
        ),
        sa.Column(
            "solar_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest solar power, W; >= 0 produces.",
        ),
        sa.Column(
            "solar_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean solar power, W; >= 0 produces.",
        ),
        sa.Column(
            "solar_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest solar power, W; >= 0 produces.",
        ),
        sa.Column(
            "battery_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest battery power, W; > 0 discharges.",
        ),
        sa.Column(
            "battery_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean battery power, W; > 0 discharges.",
        ),
        sa.Column(
            "battery_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest battery power, W; > 0 discharges.",
        ),
        sa.Column(
            "grid_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest grid power, W; > 0 imports.",
        ),
        sa.Column(
            "grid_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean grid power, W; > 0 imports.",
        ),
        sa.Column(
            "grid_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest grid power, W; > 0 imports.",
        ),
        sa.Column(
            "load_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest home power, W; > 0 consumes.",
        ),
        sa.Column(
            "load_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean home power, W; > 0 consumes.",
        ),
        sa.Column(
            "load_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest home power, W; > 0 consumes.",
        ),
        sa.Column(
            "generator_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest generator power, W; >= 0.",
        ),
        sa.Column(
            "generator_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean generator power, W; >= 0.",
        ),
        sa.Column(
            "generator_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest generator power, W; >= 0.",
        ),
        sa.Column(
            "battery_percentage_min_pct",
            sa.Double(),
            nullable=True,
            comment="Lowest state of charge, %.",
        ),
        sa.Column(
            "battery_percentage_mean_pct",
            sa.Double(),
            nullable=True,
            comment="Mean state of charge, %.",
        ),
        sa.Column(
            "battery_percentage_max_pct",
            sa.Double(),
            nullable=True,
            comment="Highest state of charge, %.",
        ),
        sa.Column(
            "battery_percentage_first_pct",
            sa.Double(),
            nullable=True,
            comment="First state of charge, %.",
        ),
        sa.Column(
            "battery_percentage_last_pct",
            sa.Double(),
            nullable=True,
            comment="Last state of charge, %.",
        ),
        sa.Column(
            "energy_left_first_wh",
            sa.Double(),
            nullable=True,
            comment="First energy in the batteries, Wh.",
        ),
        sa.Column(
            "energy_left_last_wh",
            sa.Double(),
            nullable=True,
            comment="Last energy in the batteries, Wh.",
        ),
        sa.Column(
            "total_pack_energy_last_wh",
            sa.Double(),
            nullable=True,
            comment="Last energy of full batteries, Wh.",
        ),
        sa.Column(
            "solar_wh", sa.Double(), nullable=True, comment="Solar energy produced, Wh; >= 0."
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
        sa.Column("load_wh", sa.Double(), nullable=True, comment="Energy used at home, Wh; >= 0."),
        sa.Column(
            "generator_wh", sa.Double(), nullable=True, comment="Generator energy, Wh; >= 0."
        ),
        sa.Column(
            "grid_statuses", sa.Text(), nullable=True, comment="Grid states seen, joined by +."
        ),
        sa.Column(
            "island_statuses", sa.Text(), nullable=True, comment="Island states seen, joined by +."
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("site_id", "timestamp", name=op.f("energy_states_daily_pkey")),
        comment="What is kept of samples of sites by the local day, once hours are old.",
    )
    op.create_index(
        op.f("energy_states_daily_timestamp_idx"),
        "energy_states_daily",
        ["timestamp"],
        unique=False,
    )
    op.create_table(
        "energy_states_hourly",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column(
            "timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Start of the hour of its clock (UTC).",
        ),
        sa.Column(
            "sample_count",
            sa.Integer(),
            nullable=False,
            comment="How many samples there were; 0 where only the line between two reaches into it.",
        ),
        sa.Column(
            "covered_s",
            sa.Double(),
            nullable=False,
            comment="Time that samples say something about, s.",
        ),
        sa.Column(
            "first_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time of its first sample (UTC).",
        ),
        sa.Column(
            "last_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time of its last sample (UTC).",
        ),
        sa.Column(
            "solar_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest solar power, W; >= 0 produces.",
        ),
        sa.Column(
            "solar_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean solar power, W; >= 0 produces.",
        ),
        sa.Column(
            "solar_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest solar power, W; >= 0 produces.",
        ),
        sa.Column(
            "battery_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest battery power, W; > 0 discharges.",
        ),
        sa.Column(
            "battery_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean battery power, W; > 0 discharges.",
        ),
        sa.Column(
            "battery_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest battery power, W; > 0 discharges.",
        ),
        sa.Column(
            "grid_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest grid power, W; > 0 imports.",
        ),
        sa.Column(
            "grid_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean grid power, W; > 0 imports.",
        ),
        sa.Column(
            "grid_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest grid power, W; > 0 imports.",
        ),
        sa.Column(
            "load_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest home power, W; > 0 consumes.",
        ),
        sa.Column(
            "load_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean home power, W; > 0 consumes.",
        ),
        sa.Column(
            "load_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest home power, W; > 0 consumes.",
        ),
        sa.Column(
            "generator_power_min_w",
            sa.Double(),
            nullable=True,
            comment="Lowest generator power, W; >= 0.",
        ),
        sa.Column(
            "generator_power_mean_w",
            sa.Double(),
            nullable=True,
            comment="Mean generator power, W; >= 0.",
        ),
        sa.Column(
            "generator_power_max_w",
            sa.Double(),
            nullable=True,
            comment="Highest generator power, W; >= 0.",
        ),
        sa.Column(
            "battery_percentage_min_pct",
            sa.Double(),
            nullable=True,
            comment="Lowest state of charge, %.",
        ),
        sa.Column(
            "battery_percentage_mean_pct",
            sa.Double(),
            nullable=True,
            comment="Mean state of charge, %.",
        ),
        sa.Column(
            "battery_percentage_max_pct",
            sa.Double(),
            nullable=True,
            comment="Highest state of charge, %.",
        ),
        sa.Column(
            "battery_percentage_first_pct",
            sa.Double(),
            nullable=True,
            comment="First state of charge, %.",
        ),
        sa.Column(
            "battery_percentage_last_pct",
            sa.Double(),
            nullable=True,
            comment="Last state of charge, %.",
        ),
        sa.Column(
            "energy_left_first_wh",
            sa.Double(),
            nullable=True,
            comment="First energy in the batteries, Wh.",
        ),
        sa.Column(
            "energy_left_last_wh",
            sa.Double(),
            nullable=True,
            comment="Last energy in the batteries, Wh.",
        ),
        sa.Column(
            "total_pack_energy_last_wh",
            sa.Double(),
            nullable=True,
            comment="Last energy of full batteries, Wh.",
        ),
        sa.Column(
            "solar_wh", sa.Double(), nullable=True, comment="Solar energy produced, Wh; >= 0."
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
        sa.Column("load_wh", sa.Double(), nullable=True, comment="Energy used at home, Wh; >= 0."),
        sa.Column(
            "generator_wh", sa.Double(), nullable=True, comment="Generator energy, Wh; >= 0."
        ),
        sa.Column(
            "grid_statuses", sa.Text(), nullable=True, comment="Grid states seen, joined by +."
        ),
        sa.Column(
            "island_statuses", sa.Text(), nullable=True, comment="Island states seen, joined by +."
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("site_id", "timestamp", name=op.f("energy_states_hourly_pkey")),
        comment="What is kept of samples of sites by the hour, once they are old. Partitioned by month (UTC).",
        info={"partition_by": "month"},
        postgresql_partition_by="RANGE (timestamp)",
    )
    op.create_table(
        "retention_log",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the dropped partition.",
        ),
        sa.Column(
            "series", sa.Text(), nullable=False, comment="The table whose partition was dropped."
        ),
        sa.Column("start", sa.Date(), nullable=False, comment="Its first day (UTC)."),
        sa.Column("end", sa.Date(), nullable=False, comment="The day after its last one (UTC)."),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="How many rows it had."),
        sa.Column(
            "bytes", sa.BigInteger(), nullable=False, comment="Its size with its indexes, bytes."
        ),
        sa.Column(
            "rollup_rows",
            sa.BigInteger(),
            nullable=False,
            comment="How many hours or days were written.",
        ),
        sa.Column(
            "checksum",
            sa.Text(),
            nullable=False,
            comment="Of its rows in any order, hexadecimal digits; equal for equal rows.",
        ),
        sa.Column(
            "archive_file",
            sa.Text(),
            nullable=True,
            comment="Where its rows are in the archive; null if they are not.",
        ),
        sa.Column(
            "archive_rows",
            sa.BigInteger(),
            nullable=True,
            comment="How many rows the file has, earlier ones included.",
        ),
        sa.Column(
            "archive_bytes", sa.BigInteger(), nullable=True, comment="Size of the file, bytes."
        ),
        sa.Column("archive_sha256", sa.Text(), nullable=True, comment="SHA-256 of the file."),
        sa.Column("duration_s", sa.Double(), nullable=False, comment="How long it took, s."),
        sa.Column(
            "dropped_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was dropped (UTC).",
        ),
        sa.Column(
            "restored_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When all its archived rows came back for a while (UTC); null if not.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("retention_log_pkey")),
        comment="One row per partition that was dropped, with the proof of what became of its rows. A day has several if samples came late.",
    )
    op.create_index(
        op.f("retention_log_series_start_idx"), "retention_log", ["series", "start"], unique=False
    )
    op.create_table(
        "retention_policies",
        sa.Column(
            "series",
            sa.Text(),
            nullable=False,
            comment="The time series: vehicle_states or energy_states.",
        ),
        sa.Column(
            "hourly_after",
            postgresql.INTERVAL(),
            nullable=True,
            comment="Age from which its samples are kept by the hour; null for never.",
        ),
        sa.Column(
            "daily_after",
            postgresql.INTERVAL(),
            nullable=True,
            comment="Age from which its hours are kept by the day; null for never.",
        ),
        sa.Column(
            "is_archived",
            sa.Boolean(),
            nullable=False,
            comment="Whether samples go to the archive before they are dropped.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row last changed (UTC); kept by a trigger.",
        ),
        sa.PrimaryKeyConstraint("series", name=op.f("retention_policies_pkey")),
        comment="How long each time series is kept in which detail, as the settings said last.",
    )
    op.create_table(
        "vehicle_states_daily",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Start of the local day (UTC).",
        ),
        sa.Column(
            "sample_count",
            sa.Integer(),
            nullable=False,
            comment="How many samples there were; 0 where only the line between two reaches into it.",
        ),
        sa.Column(
            "covered_s",
            sa.Double(),
            nullable=False,
            comment="Time that samples say something about, s.",
        ),
        sa.Column(
            "first_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time of its first sample (UTC).",
        ),
        sa.Column(
            "last_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time of its last sample (UTC).",
        ),
        sa.Column(
            "battery_level_min_pct",
            sa.Double(),
            nullable=True,
            comment="Lowest state of charge, %.",
        ),
        sa.Column(
            "battery_level_mean_pct", sa.Double(), nullable=True, comment="Mean state of charge, %."
        ),
        sa.Column(
            "battery_level_max_pct",
            sa.Double(),
            nullable=True,
            comment="Highest state of charge, %.",
        ),
        sa.Column(
            "battery_level_first_pct",
            sa.Double(),
            nullable=True,
            comment="First state of charge, %.",
        ),
        sa.Column(
            "battery_level_last_pct", sa.Double(), nullable=True, comment="Last state of charge, %."
        ),
        sa.Column(
            "usable_battery_level_last_pct",
            sa.Double(),
            nullable=True,
            comment="Last state of charge usable then, %.",
        ),
        sa.Column(
            "battery_range_first_mi",
            sa.Double(),
            nullable=True,
            comment="First rated range, miles.",
        ),
        sa.Column(
            "battery_range_last_mi", sa.Double(), nullable=True, comment="Last rated range, miles."
        ),
        sa.Column(
            "odometer_first_mi", sa.Double(), nullable=True, comment="First odometer, miles."
        ),
        sa.Column("odometer_last_mi", sa.Double(), nullable=True, comment="Last odometer, miles."),
        sa.Column("speed_mean_mph", sa.Double(), nullable=True, comment="Mean speed, mph."),
        sa.Column("speed_max_mph", sa.Double(), nullable=True, comment="Highest speed, mph."),
        sa.Column(
            "power_min_kw",
            sa.Double(),
            nullable=True,
            comment="Lowest drive power, kW; > 0 drives.",
        ),
        sa.Column(
            "power_mean_kw", sa.Double(), nullable=True, comment="Mean drive power, kW; > 0 drives."
        ),
        sa.Column(
            "power_max_kw",
            sa.Double(),
            nullable=True,
            comment="Highest drive power, kW; > 0 drives.",
        ),
        sa.Column(
            "power_out_kwh", sa.Double(), nullable=True, comment="Energy for driving, kWh; >= 0."
        ),
        sa.Column(
            "power_in_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy from recuperating and charging, kWh; >= 0.",
        ),
        sa.Column(
            "charger_power_mean_kw", sa.Double(), nullable=True, comment="Mean charger power, kW."
        ),
        sa.Column(
            "charger_power_max_kw", sa.Double(), nullable=True, comment="Highest charger power, kW."
        ),
        sa.Column(
            "charger_kwh", sa.Double(), nullable=True, comment="Energy of the charger, kWh; >= 0."
        ),
        sa.Column(
            "charger_voltage_min_v",
            sa.Double(),
            nullable=True,
            comment="Lowest charger voltage, V.",
        ),
        sa.Column(
            "charger_voltage_max_v",
            sa.Double(),
            nullable=True,
            comment="Highest charger voltage, V.",
        ),
        sa.Column(
            "charge_energy_added_last_kwh",
            sa.Double(),
            nullable=True,
            comment="Last energy into the battery since plug-in, kWh.",
        ),
        sa.Column(
            "charge_limit_soc_last_pct", sa.Double(), nullable=True, comment="Last charge limit, %."
        ),
        sa.Column(
            "inside_temp_min_c", sa.Double(), nullable=True, comment="Lowest cabin temperature, °C."
        ),
        sa.Column(
            "inside_temp_mean_c", sa.Double(), nullable=True, comment="Mean cabin temperature, °C."
        ),
        sa.Column(
            "inside_temp_max_c",
            sa.Double(),
            nullable=True,
            comment="Highest cabin temperature, °C.",
        ),
        sa.Column(
            "outside_temp_min_c",
            sa.Double(),
            nullable=True,
            comment="Lowest outside temperature, °C.",
        ),
        sa.Column(
            "outside_temp_mean_c",
            sa.Double(),
            nullable=True,
            comment="Mean outside temperature, °C.",
        ),
        sa.Column(
            "outside_temp_max_c",
            sa.Double(),
            nullable=True,
            comment="Highest outside temperature, °C.",
        ),
        sa.Column(
            "tpms_pressure_fl_min_bar",
            sa.Double(),
            nullable=True,
            comment="Lowest tyre pressure front left, bar.",
        ),
        sa.Column(
            "tpms_pressure_fl_last_bar",
            sa.Double(),
            nullable=True,
            comment="Last tyre pressure front left, bar.",
        ),
        sa.Column(
            "tpms_pressure_fr_min_bar",
            sa.Double(),
            nullable=True,
            comment="Lowest tyre pressure front right, bar.",
        ),
        sa.Column(
            "tpms_pressure_fr_last_bar",
            sa.Double(),
            nullable=True,
            comment="Last tyre pressure front right, bar.",
        ),
        sa.Column(
            "tpms_pressure_rl_min_bar",
            sa.Double(),
            nullable=True,
            comment="Lowest tyre pressure rear left, bar.",
        ),
        sa.Column(
            "tpms_pressure_rl_last_bar",
            sa.Double(),
            nullable=True,
            comment="Last tyre pressure rear left, bar.",
        ),
        sa.Column(
            "tpms_pressure_rr_min_bar",
            sa.Double(),
            nullable=True,
            comment="Lowest tyre pressure rear right, bar.",
        ),
        sa.Column(
            "tpms_pressure_rr_last_bar",
            sa.Double(),
            nullable=True,
            comment="Last tyre pressure rear right, bar.",
        ),
        sa.Column(
            "latitude_first_deg",
            sa.Double(),
            nullable=True,
            comment="First latitude, degrees north, WGS 84.",
        ),
        sa.Column(
            "latitude_last_deg",
            sa.Double(),
            nullable=True,
            comment="Last latitude, degrees north, WGS 84.",
        ),
        sa.Column(
            "longitude_first_deg",
            sa.Double(),
            nullable=True,
            comment="First longitude, degrees east, WGS 84.",
        ),
        sa.Column(
            "longitude_last_deg",
            sa.Double(),
            nullable=True,
            comment="Last longitude, degrees east, WGS 84.",
        ),
        sa.Column("locked_s", sa.Double(), nullable=True, comment="Time locked, s."),
        sa.Column(
            "sentry_mode_s", sa.Double(), nullable=True, comment="Time with sentry mode on, s."
        ),
        sa.Column(
            "charging_states", sa.Text(), nullable=True, comment="Charging states, joined by +."
        ),
        sa.Column("shift_states", sa.Text(), nullable=True, comment="Gears, joined by +."),
        sa.Column("firmware_last", sa.Text(), nullable=True, comment="Last firmware version."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "timestamp", name=op.f("vehicle_states_daily_pkey")),
        comment="What is kept of samples of vehicles by the local day, once hours are old.",
    )
    op.create_index(
        op.f("vehicle_states_daily_timestamp_idx"),
        "vehicle_states_daily",
        ["timestamp"],
        unique=False,
    )
    op.create_table(
        "vehicle_states_hourly",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Start of the hour of its clock (UTC).",
        ),
        sa.Column(
            "sample_count",
            sa.Integer(),
            nullable=False,
            comment="How many samples there were; 0 where only the line between two reaches into it.",
        ),
        sa.Column(
            "covered_s",
            sa.Double(),
            nullable=False,
            comment="Time that samples say something about, s.",
        ),
        sa.Column(
            "first_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time of its first sample (UTC).",
        ),
        sa.Column(
            "last_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time of its last sample (UTC).",
        ),
        sa.Column(
            "battery_level_min_pct",
            sa.Double(),
            nullable=True,
            comment="Lowest state of charge, %.",
        ),
        sa.Column(
            "battery_level_mean_pct", sa.Double(), nullable=True, comment="Mean state of charge, %."
        ),
        sa.Column(
            "battery_level_max_pct",
            sa.Double(),
            nullable=True,
            comment="Highest state of charge, %.",
        ),
        sa.Column(
            "battery_level_first_pct",
            sa.Double(),
            nullable=True,
            comment="First state of charge, %.",
        ),
        sa.Column(
            "battery_level_last_pct", sa.Double(), nullable=True, comment="Last state of charge, %."
        ),
        sa.Column(
            "usable_battery_level_last_pct",
            sa.Double(),
            nullable=True,
            comment="Last state of charge usable then, %.",
        ),
        sa.Column(
            "battery_range_first_mi",
            sa.Double(),
            nullable=True,
            comment="First rated range, miles.",
        ),
        sa.Column(
            "battery_range_last_mi", sa.Double(), nullable=True, comment="Last rated range, miles."
        ),
        sa.Column(
            "odometer_first_mi", sa.Double(), nullable=True, comment="First odometer, miles."
        ),
        sa.Column("odometer_last_mi", sa.Double(), nullable=True, comment="Last odometer, miles."),
        sa.Column("speed_mean_mph", sa.Double(), nullable=True, comment="Mean speed, mph."),
        sa.Column("speed_max_mph", sa.Double(), nullable=True, comment="Highest speed, mph."),
        sa.Column(
            "power_min_kw",
            sa.Double(),
            nullable=True,
            comment="Lowest drive power, kW; > 0 drives.",
        ),
        sa.Column(
            "power_mean_kw", sa.Double(), nullable=True, comment="Mean drive power, kW; > 0 drives."
        ),
        sa.Column(
            "power_max_kw",
            sa.Double(),
            nullable=True,
            comment="Highest drive power, kW; > 0 drives.",
        ),
        sa.Column(
            "power_out_kwh", sa.Double(), nullable=True, comment="Energy for driving, kWh; >= 0."
        ),
        sa.Column(
            "power_in_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy from recuperating and charging, kWh; >= 0.",
        ),
        sa.Column(
            "charger_power_mean_kw", sa.Double(), nullable=True, comment="Mean charger power, kW."
        ),
        sa.Column(
            "charger_power_max_kw", sa.Double(), nullable=True, comment="Highest charger power, kW."
        ),
        sa.Column(
            "charger_kwh", sa.Double(), nullable=True, comment="Energy of the charger, kWh; >= 0."
        ),
        sa.Column(
            "charger_voltage_min_v",
            sa.Double(),
            nullable=True,
            comment="Lowest charger voltage, V.",
        ),
        sa.Column(
            "charger_voltage_max_v",
            sa.Double(),
            nullable=True,
            comment="Highest charger voltage, V.",
        ),
        sa.Column(
            "charge_energy_added_last_kwh",
            sa.Double(),
            nullable=True,
            comment="Last energy into the battery since plug-in, kWh.",
        ),
        sa.Column(
            "charge_limit_soc_last_pct", sa.Double(), nullable=True, comment="Last charge limit, %."
        ),
        sa.Column(
            "inside_temp_min_c", sa.Double(), nullable=True, comment="Lowest cabin temperature, °C."
        ),
        sa.Column(
            "inside_temp_mean_c", sa.Double(), nullable=True, comment="Mean cabin temperature, °C."
        ),
        sa.Column(
            "inside_temp_max_c",
            sa.Double(),
            nullable=True,
            comment="Highest cabin temperature, °C.",
        ),
        sa.Column(
            "outside_temp_min_c",
            sa.Double(),
            nullable=True,
            comment="Lowest outside temperature, °C.",
        ),
        sa.Column(
            "outside_temp_mean_c",
            sa.Double(),
            nullable=True,
            comment="Mean outside temperature, °C.",
        ),
        sa.Column(
            "outside_temp_max_c",
            sa.Double(),
            nullable=True,
            comment="Highest outside temperature, °C.",
        ),
        sa.Column(
            "tpms_pressure_fl_min_bar",
            sa.Double(),
            nullable=True,
            comment="Lowest tyre pressure front left, bar.",
        ),
        sa.Column(
            "tpms_pressure_fl_last_bar",
            sa.Double(),
            nullable=True,
            comment="Last tyre pressure front left, bar.",
        ),
        sa.Column(
            "tpms_pressure_fr_min_bar",
            sa.Double(),
            nullable=True,
            comment="Lowest tyre pressure front right, bar.",
        ),
        sa.Column(
            "tpms_pressure_fr_last_bar",
            sa.Double(),
            nullable=True,
            comment="Last tyre pressure front right, bar.",
        ),
        sa.Column(
            "tpms_pressure_rl_min_bar",
            sa.Double(),
            nullable=True,
            comment="Lowest tyre pressure rear left, bar.",
        ),
        sa.Column(
            "tpms_pressure_rl_last_bar",
            sa.Double(),
            nullable=True,
            comment="Last tyre pressure rear left, bar.",
        ),
        sa.Column(
            "tpms_pressure_rr_min_bar",
            sa.Double(),
            nullable=True,
            comment="Lowest tyre pressure rear right, bar.",
        ),
        sa.Column(
            "tpms_pressure_rr_last_bar",
            sa.Double(),
            nullable=True,
            comment="Last tyre pressure rear right, bar.",
        ),
        sa.Column(
            "latitude_first_deg",
            sa.Double(),
            nullable=True,
            comment="First latitude, degrees north, WGS 84.",
        ),
        sa.Column(
            "latitude_last_deg",
            sa.Double(),
            nullable=True,
            comment="Last latitude, degrees north, WGS 84.",
        ),
        sa.Column(
            "longitude_first_deg",
            sa.Double(),
            nullable=True,
            comment="First longitude, degrees east, WGS 84.",
        ),
        sa.Column(
            "longitude_last_deg",
            sa.Double(),
            nullable=True,
            comment="Last longitude, degrees east, WGS 84.",
        ),
        sa.Column("locked_s", sa.Double(), nullable=True, comment="Time locked, s."),
        sa.Column(
            "sentry_mode_s", sa.Double(), nullable=True, comment="Time with sentry mode on, s."
        ),
        sa.Column(
            "charging_states", sa.Text(), nullable=True, comment="Charging states, joined by +."
        ),
        sa.Column("shift_states", sa.Text(), nullable=True, comment="Gears, joined by +."),
        sa.Column("firmware_last", sa.Text(), nullable=True, comment="Last firmware version."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "timestamp", name=op.f("vehicle_states_hourly_pkey")),
        comment="What is kept of samples of vehicles by the hour, once they are old. Partitioned by month (UTC).",
        info={"partition_by": "month"},
        postgresql_partition_by="RANGE (timestamp)",
    )
    op.execute(
        "create trigger set_updated_at before update on retention_policies "
        "for each row when (old.* is distinct from new.*) execute function set_updated_at()"
    )


def downgrade() -> None:
    op.drop_table("vehicle_states_hourly")
    op.drop_index(op.f("vehicle_states_daily_timestamp_idx"), table_name="vehicle_states_daily")
    op.drop_table("vehicle_states_daily")
    op.drop_table("retention_policies")
    op.drop_index(op.f("retention_log_series_start_idx"), table_name="retention_log")
    op.drop_table("retention_log")
    op.drop_table("energy_states_hourly")
    op.drop_index(op.f("energy_states_daily_timestamp_idx"), table_name="energy_states_daily")
    op.drop_table("energy_states_daily")
