"""Energy by the hour, what home batteries hold, whose energy is whose, and days to do again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dirty_days",
        sa.Column(
            "reader", sa.Text(), nullable=False, comment="The table that has to be computed again."
        ),
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column("date", sa.Date(), nullable=False, comment="Local calendar day of the site."),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the first change came that it does not know (UTC).",
        ),
        sa.Column(
            "changes",
            sa.BigInteger(),
            server_default="1",
            nullable=False,
            comment="How often something changed since.",
        ),
        sa.PrimaryKeyConstraint("reader", "site_id", "date", name=op.f("dirty_days_pkey")),
        comment="Days of sites whose inputs changed after they were computed; written in the "
        "transaction that writes the input.",
    )
    op.create_table(
        "history_misses",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="energy (Wh), power (W) or soe (%)."),
        sa.Column("date", sa.Date(), nullable=False, comment="Local calendar day of the site."),
        sa.Column(
            "times",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="How often it was asked for in vain.",
        ),
        sa.Column(
            "left_until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Until when no schedule asks for it again (UTC).",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["energy_sites.id"], name=op.f("history_misses_site_id_fkey")
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "date", name=op.f("history_misses_pkey")),
        comment="Answers of calendar_history that were asked for in vain: refused, of another "
        "day, or shorter than what is known.",
    )
    op.create_table(
        "energy_hourly",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column(
            "timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Start of the hour of the site's clock (UTC).",
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
            "generator_to_home_kwh",
            sa.Double(),
            nullable=True,
            comment="Generator energy used at home, kWh; >= 0.",
        ),
        sa.Column(
            "generator_to_battery_kwh",
            sa.Double(),
            nullable=True,
            comment="Generator energy into the batteries, kWh; >= 0.",
        ),
        sa.Column(
            "generator_to_grid_kwh",
            sa.Double(),
            nullable=True,
            comment="Generator energy exported, kWh; >= 0.",
        ),
        sa.Column(
            "home_consumed_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy used at home, cars included, kWh; >= 0.",
        ),
        sa.Column(
            "soc_pct",
            sa.Double(),
            nullable=True,
            comment="State of charge at the hour's end, %; null where not reported.",
        ),
        sa.Column(
            "coverage_pct",
            sa.Double(),
            nullable=False,
            comment="Part of the hour that was measured, %.",
        ),
        sa.Column(
            "source",
            sa.Text(),
            nullable=False,
            comment="Where the energy comes from: sources of energy_intervals.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("site_id", "timestamp", name=op.f("energy_hourly_pkey")),
        comment="Energy per site and local hour: the sum of energy_intervals. Partitioned by "
        "month (UTC).",
        info={"partition_by": "month"},
        postgresql_partition_by="RANGE (timestamp)",
    )
    op.create_table(
        "battery_ledger",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column("date", sa.Date(), nullable=False, comment="Local calendar day of the site."),
        sa.Column(
            "origin",
            sa.Text(),
            nullable=False,
            comment="What had charged it: solar, grid, generator or unknown.",
        ),
        sa.Column(
            "opening_wh",
            sa.Double(),
            nullable=True,
            comment="Stored energy when the day begins, Wh.",
        ),
        sa.Column(
            "charged_wh",
            sa.Double(),
            nullable=True,
            comment="Energy into the batteries, Wh, measured outside them.",
        ),
        sa.Column(
            "discharged_wh",
            sa.Double(),
            nullable=True,
            comment="Energy out of the batteries, Wh, measured outside them.",
        ),
        sa.Column(
            "lost_wh", sa.Double(), nullable=True, comment="What charging and discharging lost, Wh."
        ),
        sa.Column(
            "adjusted_wh",
            sa.Double(),
            nullable=True,
            comment="What the measured state of charge adds to what is booked, Wh.",
        ),
        sa.Column(
            "closing_wh",
            sa.Double(),
            nullable=True,
            comment="Stored energy when the day ends, Wh: opening + charged - discharged - "
            "lost + adjusted.",
        ),
        sa.Column(
            "closing_cost",
            sa.Double(),
            nullable=True,
            comment="What those closing_priced_wh cost, in the currency of the site's prices: "
            "what was paid to the grid, or what solar would have earned.",
        ),
        sa.Column(
            "closing_priced_wh",
            sa.Double(),
            nullable=True,
            comment="Part of the closing energy whose price is known, Wh.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["energy_sites.id"], name=op.f("battery_ledger_site_id_fkey")
        ),
        sa.PrimaryKeyConstraint("site_id", "date", "origin", name=op.f("battery_ledger_pkey")),
        comment="What the home batteries hold, per site, local day and origin.",
    )
    op.create_table(
        "solar_attribution_daily",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the site's day of one user under one policy.",
        ),
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column("date", sa.Date(), nullable=False, comment="Local calendar day of the site."),
        sa.Column(
            "policy",
            sa.Text(),
            nullable=False,
            comment="Whose energy is whose: proportional, ev_last or solar_to_ev_first.",
        ),
        sa.Column("vehicle_id", sa.Uuid(), nullable=True, comment="The vehicle: vehicles.id."),
        sa.Column(
            "energy_kwh",
            sa.Double(),
            nullable=True,
            comment="Energy used, kWh; without a vehicle that of the home less its cars.",
        ),
        sa.Column(
            "from_solar_kwh",
            sa.Double(),
            nullable=True,
            comment="Solar energy as it was produced, kWh.",
        ),
        sa.Column(
            "from_battery_solar_kwh",
            sa.Double(),
            nullable=True,
            comment="Through the home battery, charged by solar, kWh.",
        ),
        sa.Column(
            "from_battery_grid_kwh",
            sa.Double(),
            nullable=True,
            comment="Through the home battery, charged from the grid, kWh.",
        ),
        sa.Column(
            "from_battery_generator_kwh",
            sa.Double(),
            nullable=True,
            comment="Through the home battery, charged by a generator, kWh.",
        ),
        sa.Column(
            "from_battery_unknown_kwh",
            sa.Double(),
            nullable=True,
            comment="Through the home battery, nobody saw what charged it, kWh.",
        ),
        sa.Column(
            "from_generator_kwh",
            sa.Double(),
            nullable=True,
            comment="Directly from a generator, kWh.",
        ),
        sa.Column(
            "from_grid_kwh", sa.Double(), nullable=True, comment="Directly from the grid, kWh."
        ),
        sa.Column(
            "unattributed_kwh",
            sa.Double(),
            nullable=True,
            comment="What was not measured at the site, kWh.",
        ),
        sa.Column(
            "solar_kwh",
            sa.Double(),
            nullable=True,
            comment="Solar as it was produced and through the home battery, kWh.",
        ),
        sa.Column(
            "grid_cost",
            sa.Double(),
            nullable=True,
            comment="What was paid for its grid energy, directly and through the battery.",
        ),
        sa.Column(
            "solar_value",
            sa.Double(),
            nullable=True,
            comment="What its solar energy would have earned as export.",
        ),
        sa.Column(
            "currency", sa.String(length=3), nullable=True, comment="Currency of both, ISO 4217."
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["energy_sites.id"], name=op.f("solar_attribution_daily_site_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["vehicle_id"], ["vehicles.id"], name=op.f("solar_attribution_daily_vehicle_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("solar_attribution_daily_pkey")),
        sa.UniqueConstraint(
            "site_id",
            "date",
            "policy",
            "vehicle_id",
            name=op.f("solar_attribution_daily_site_id_date_policy_vehicle_id_key"),
            postgresql_nulls_not_distinct=True,
        ),
        comment="Where the energy of each car, and of the home without its cars, came from, "
        "per site, local day and policy.",
    )
    op.create_table(
        "charging_attribution",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "session_started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The plug-in: charging_sessions.started_at (UTC).",
        ),
        sa.Column(
            "policy",
            sa.Text(),
            nullable=False,
            comment="Whose energy is whose: proportional, ev_last or solar_to_ev_first.",
        ),
        sa.Column("energy_kwh", sa.Double(), nullable=True, comment="Energy drawn, kWh."),
        sa.Column(
            "from_solar_kwh",
            sa.Double(),
            nullable=True,
            comment="Solar energy as it was produced, kWh.",
        ),
        sa.Column(
            "from_battery_solar_kwh",
            sa.Double(),
            nullable=True,
            comment="Through the home battery, charged by solar, kWh.",
        ),
        sa.Column(
            "from_battery_grid_kwh",
            sa.Double(),
            nullable=True,
            comment="Through the home battery, charged from the grid, kWh.",
        ),
        sa.Column(
            "from_battery_generator_kwh",
            sa.Double(),
            nullable=True,
            comment="Through the home battery, charged by a generator, kWh.",
        ),
        sa.Column(
            "from_battery_unknown_kwh",
            sa.Double(),
            nullable=True,
            comment="Through the home battery, nobody saw what charged it, kWh.",
        ),
        sa.Column(
            "from_generator_kwh",
            sa.Double(),
            nullable=True,
            comment="Directly from a generator, kWh.",
        ),
        sa.Column(
            "from_grid_kwh", sa.Double(), nullable=True, comment="Directly from the grid, kWh."
        ),
        sa.Column(
            "unattributed_kwh",
            sa.Double(),
            nullable=True,
            comment="What was not measured at the site, kWh.",
        ),
        sa.Column(
            "solar_kwh",
            sa.Double(),
            nullable=True,
            comment="Solar as it was produced and through the home battery, kWh.",
        ),
        sa.Column(
            "solar_pct", sa.Double(), nullable=True, comment="Share of solar in what is known, %."
        ),
        sa.Column(
            "coverage_pct",
            sa.Double(),
            nullable=True,
            comment="Part of the energy whose origin is known, %.",
        ),
        sa.ForeignKeyConstraint(
            ["vehicle_id", "session_started_at"],
            ["charging_sessions.vehicle_id", "charging_sessions.started_at"],
            name=op.f("charging_attribution_vehicle_id_session_started_at_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "vehicle_id", "session_started_at", "policy", name=op.f("charging_attribution_pkey")
        ),
        comment="Where the energy of each plug-in at a site came from, under each policy.",
    )
    op.drop_column("charging_sessions", "site_intervals")
    op.add_column(
        "energy_daily",
        sa.Column(
            "generator_to_home_kwh",
            sa.Double(),
            nullable=True,
            comment="Generator energy used at home, kWh; >= 0.",
        ),
    )
    op.add_column(
        "energy_daily",
        sa.Column(
            "generator_to_battery_kwh",
            sa.Double(),
            nullable=True,
            comment="Generator energy into the batteries, kWh; >= 0.",
        ),
    )
    op.add_column(
        "energy_daily",
        sa.Column(
            "generator_to_grid_kwh",
            sa.Double(),
            nullable=True,
            comment="Generator energy exported, kWh; >= 0.",
        ),
    )
    op.alter_column(
        "energy_daily",
        "source",
        existing_type=sa.TEXT(),
        comment="Where the day comes from: sources of energy_intervals, or app_export.",
        existing_comment="Where the day comes from: calendar_history_energy or app_export.",
        existing_nullable=False,
    )
    op.add_column(
        "energy_intervals",
        sa.Column(
            "residual_wh",
            sa.Double(),
            nullable=True,
            comment="What the totals put in beyond what they took out, Wh: solar + generator + "
            "battery out + grid in - home - battery in - grid out.",
        ),
    )
    op.alter_column(
        "energy_intervals",
        "source",
        existing_type=sa.TEXT(),
        comment="Where the energy comes from: calendar_history_energy, calendar_history_power "
        "or live_status.",
        existing_comment="Where the energy comes from: calendar_history_energy.",
        existing_nullable=False,
    )
    op.add_column(
        "energy_sites",
        sa.Column(
            "energy_basis",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Time zone, battery and prices that its days follow, as they were when "
            "they last did.",
        ),
    )
    op.alter_column(
        "charging_pieces",
        "energy_kwh",
        existing_type=sa.DOUBLE_PRECISION(precision=53),
        comment="Energy drawn, kWh: measured by the connector or the car, or from what the car "
        "counted.",
        existing_comment="Energy drawn, kWh: measured, or from what the car counted.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_pieces",
        "basis",
        existing_type=sa.TEXT(),
        comment="Where it comes from: connector, wall, counter or soc.",
        existing_comment="Where it comes from: wall, counter or soc.",
        existing_nullable=False,
    )
    op.alter_column(
        "charging_sessions",
        "cost_with_solar",
        existing_type=sa.NUMERIC(precision=12, scale=4),
        comment="What it cost with the solar part at what its export would have earned, all "
        "else at the price of the grid, in `cost_currency`.",
        existing_comment="What it cost with the solar part at what its export would have "
        "earned, in `cost_currency`.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "solar_energy_kwh",
        existing_type=sa.DOUBLE_PRECISION(precision=53),
        comment="Part of the energy that is known to come from the sun, directly or through "
        "the home battery, kWh; see coverage_pct of charging_attribution.",
        existing_comment="Part of the energy that came from the sun, kWh.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "solar_percentage",
        existing_type=sa.DOUBLE_PRECISION(precision=53),
        comment="Share of the sun in the energy whose origin is known, %.",
        existing_comment="Share of the energy that came from the sun, %.",
        existing_nullable=True,
    )
    op.alter_column(
        "derived_from",
        "basis",
        existing_type=sa.TEXT(),
        comment="Digest of the places, prices, bills, rules and policy that it was derived from.",
        existing_comment="Digest of the places, prices, bills and rules that it was derived from.",
        existing_nullable=False,
    )

    op.create_index(
        "charging_sessions_due_idx",
        "charging_sessions",
        ["started_at"],
        unique=False,
        postgresql_where="cost_basis is null",
    )
    op.create_index(
        op.f("charging_sessions_site_id_started_at_idx"),
        "charging_sessions",
        ["site_id", "started_at"],
        unique=False,
    )
    # What there is of each interval says its residual; all days are to be computed once more.
    op.execute(
        """
        update energy_intervals set residual_wh =
            coalesce(solar_wh, 0) + coalesce(generator_wh, 0) + coalesce(battery_discharged_wh, 0)
            + coalesce(grid_imported_wh, 0) - coalesce(home_wh, 0)
            - coalesce(battery_charged_wh, 0) - coalesce(grid_exported_wh, 0)
        """
    )
    op.execute(
        """
        insert into dirty_days (reader, site_id, date)
        select reader, site_id, date from energy_daily cross join unnest(array[
            'energy_intervals', 'energy_hourly', 'energy_daily', 'battery_ledger',
            'solar_attribution_daily'
        ]) as reader where source <> 'app_export'
        """
    )
    op.execute("update charging_sessions set cost_basis = null where site_id is not null")


def downgrade() -> None:
    op.drop_index(op.f("charging_sessions_site_id_started_at_idx"), table_name="charging_sessions")
    op.drop_index(
        "charging_sessions_due_idx",
        table_name="charging_sessions",
        postgresql_where="cost_basis is null",
    )
    op.alter_column(
        "derived_from",
        "basis",
        existing_type=sa.TEXT(),
        comment="Digest of the places, prices, bills and rules that it was derived from.",
        existing_comment="Digest of the places, prices, bills, rules and policy that it was "
        "derived from.",
        existing_nullable=False,
    )
    op.alter_column(
        "charging_sessions",
        "solar_percentage",
        existing_type=sa.DOUBLE_PRECISION(precision=53),
        comment="Share of the energy that came from the sun, %.",
        existing_comment="Share of the sun in the energy whose origin is known, %.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "solar_energy_kwh",
        existing_type=sa.DOUBLE_PRECISION(precision=53),
        comment="Part of the energy that came from the sun, kWh.",
        existing_comment="Part of the energy that is known to come from the sun, directly or "
        "through the home battery, kWh; see coverage_pct of "
        "charging_attribution.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_sessions",
        "cost_with_solar",
        existing_type=sa.NUMERIC(precision=12, scale=4),
        comment="What it cost with the solar part at what its export would have earned, in "
        "`cost_currency`.",
        existing_comment="What it cost with the solar part at what its export would have "
        "earned, all else at the price of the grid, in `cost_currency`.",
        existing_nullable=True,
    )
    op.alter_column(
        "charging_pieces",
        "basis",
        existing_type=sa.TEXT(),
        comment="Where it comes from: wall, counter or soc.",
        existing_comment="Where it comes from: connector, wall, counter or soc.",
        existing_nullable=False,
    )
    op.alter_column(
        "charging_pieces",
        "energy_kwh",
        existing_type=sa.DOUBLE_PRECISION(precision=53),
        comment="Energy drawn, kWh: measured, or from what the car counted.",
        existing_comment="Energy drawn, kWh: measured by the connector or the car, or from "
        "what the car counted.",
        existing_nullable=True,
    )
    op.drop_column("energy_sites", "energy_basis")
    op.alter_column(
        "energy_intervals",
        "source",
        existing_type=sa.TEXT(),
        comment="Where the energy comes from: calendar_history_energy.",
        existing_comment="Where the energy comes from: calendar_history_energy, "
        "calendar_history_power or live_status.",
        existing_nullable=False,
    )
    op.drop_column("energy_intervals", "residual_wh")
    op.alter_column(
        "energy_daily",
        "source",
        existing_type=sa.TEXT(),
        comment="Where the day comes from: calendar_history_energy or app_export.",
        existing_comment="Where the day comes from: sources of energy_intervals, or app_export.",
        existing_nullable=False,
    )
    op.drop_column("energy_daily", "generator_to_grid_kwh")
    op.drop_column("energy_daily", "generator_to_battery_kwh")
    op.drop_column("energy_daily", "generator_to_home_kwh")
    op.add_column(
        "charging_sessions",
        sa.Column(
            "site_intervals",
            sa.INTEGER(),
            autoincrement=False,
            nullable=True,
            comment="How many five minutes of its site's energy were known when it was costed.",
        ),
    )
    op.drop_table("charging_attribution")
    op.drop_table("solar_attribution_daily")
    op.drop_table("battery_ledger")
    op.drop_table("energy_hourly")
    op.drop_table("history_misses")
    op.drop_table("dirty_days")
