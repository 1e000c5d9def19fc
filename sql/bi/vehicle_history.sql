create view bi.vehicle_history as
select
    v.vin,
    v.display_name,
    s.timestamp,
    'sample' as resolution,
    1 as sample_count,
    coalesce(n.hours * 3600, 0) as covered_s,
    s.timestamp as first_at,
    s.timestamp as last_at,
    s.battery_level::float8 as battery_level_min_pct,
    s.battery_level::float8 as battery_level_mean_pct,
    s.battery_level::float8 as battery_level_max_pct,
    s.battery_level::float8 as battery_level_first_pct,
    s.battery_level::float8 as battery_level_last_pct,
    s.usable_battery_level::float8 as usable_battery_level_last_pct,
    s.battery_range as battery_range_first_mi,
    s.battery_range as battery_range_last_mi,
    s.battery_range * 1.609344 as battery_range_first_km,
    s.battery_range * 1.609344 as battery_range_last_km,
    s.odometer as odometer_first_mi,
    s.odometer as odometer_last_mi,
    s.odometer * 1.609344 as odometer_first_km,
    s.odometer * 1.609344 as odometer_last_km,
    s.speed as speed_mean_mph,
    s.speed as speed_max_mph,
    s.speed * 1.609344 as speed_mean_kmh,
    s.speed * 1.609344 as speed_max_kmh,
    s.power as power_min_kw,
    s.power as power_mean_kw,
    s.power as power_max_kw,
    bi.area_above(s.power, n.power, n.hours) as power_out_kwh,
    bi.area_above(-s.power, -n.power, n.hours) as power_in_kwh,
    s.charger_power as charger_power_mean_kw,
    s.charger_power as charger_power_max_kw,
    bi.area_above(s.charger_power, n.charger_power, n.hours) as charger_kwh,
    s.charger_voltage as charger_voltage_min_v,
    s.charger_voltage as charger_voltage_max_v,
    s.charge_energy_added as charge_energy_added_last_kwh,
    s.charge_limit_soc::float8 as charge_limit_soc_last_pct,
    s.inside_temp as inside_temp_min_c,
    s.inside_temp as inside_temp_mean_c,
    s.inside_temp as inside_temp_max_c,
    s.outside_temp as outside_temp_min_c,
    s.outside_temp as outside_temp_mean_c,
    s.outside_temp as outside_temp_max_c,
    s.tpms_pressure_fl as tpms_pressure_fl_min_bar,
    s.tpms_pressure_fl as tpms_pressure_fl_last_bar,
    s.tpms_pressure_fr as tpms_pressure_fr_min_bar,
    s.tpms_pressure_fr as tpms_pressure_fr_last_bar,
    s.tpms_pressure_rl as tpms_pressure_rl_min_bar,
    s.tpms_pressure_rl as tpms_pressure_rl_last_bar,
    s.tpms_pressure_rr as tpms_pressure_rr_min_bar,
    s.tpms_pressure_rr as tpms_pressure_rr_last_bar,
    s.latitude as latitude_first_deg,
    s.latitude as latitude_last_deg,
    s.longitude as longitude_first_deg,
    s.longitude as longitude_last_deg,
    case when s.is_locked then n.hours * 3600 when not s.is_locked then n.hours * 0 end as locked_s,
    case when s.sentry_mode then n.hours * 3600 when not s.sentry_mode then n.hours * 0 end
        as sentry_mode_s,
    s.charging_state as charging_states,
    s.shift_state as shift_states,
    s.firmware as firmware_last
from vehicle_states s
join vehicles v on v.id = s.vehicle_id
-- The next sample. As an aggregate it is one row for certain, so that the planner leaves the join
-- out where nothing of it is asked for.
left join lateral (
    select
        extract(epoch from max(next.timestamp) - s.timestamp)::float8 / 3600 as hours,
        max(next.power) as power,
        max(next.charger_power) as charger_power
    from (
        select *
        from vehicle_states
        where vehicle_id = s.vehicle_id
            and timestamp > s.timestamp
            and timestamp <= s.timestamp + interval '15 minutes'
        order by timestamp
        limit 1
    ) next
) n on true
-- What came late for a day that was dropped waits here to be merged with its hours.
where (s.timestamp at time zone 'UTC')::date not in (
    select start from retention_log where series = 'vehicle_states'
)
union all
select
    v.vin,
    v.display_name,
    r.timestamp,
    r.resolution,
    r.sample_count,
    r.covered_s,
    r.first_at,
    r.last_at,
    r.battery_level_min_pct,
    r.battery_level_mean_pct,
    r.battery_level_max_pct,
    r.battery_level_first_pct,
    r.battery_level_last_pct,
    r.usable_battery_level_last_pct,
    r.battery_range_first_mi,
    r.battery_range_last_mi,
    r.battery_range_first_mi * 1.609344,
    r.battery_range_last_mi * 1.609344,
    r.odometer_first_mi,
    r.odometer_last_mi,
    r.odometer_first_mi * 1.609344,
    r.odometer_last_mi * 1.609344,
    r.speed_mean_mph,
    r.speed_max_mph,
    r.speed_mean_mph * 1.609344,
    r.speed_max_mph * 1.609344,
    r.power_min_kw,
    r.power_mean_kw,
    r.power_max_kw,
    r.power_out_kwh,
    r.power_in_kwh,
    r.charger_power_mean_kw,
    r.charger_power_max_kw,
    r.charger_kwh,
    r.charger_voltage_min_v,
    r.charger_voltage_max_v,
    r.charge_energy_added_last_kwh,
    r.charge_limit_soc_last_pct,
    r.inside_temp_min_c,
    r.inside_temp_mean_c,
    r.inside_temp_max_c,
    r.outside_temp_min_c,
    r.outside_temp_mean_c,
    r.outside_temp_max_c,
    r.tpms_pressure_fl_min_bar,
    r.tpms_pressure_fl_last_bar,
    r.tpms_pressure_fr_min_bar,
    r.tpms_pressure_fr_last_bar,
    r.tpms_pressure_rl_min_bar,
    r.tpms_pressure_rl_last_bar,
    r.tpms_pressure_rr_min_bar,
    r.tpms_pressure_rr_last_bar,
    r.latitude_first_deg,
    r.latitude_last_deg,
    r.longitude_first_deg,
    r.longitude_last_deg,
    r.locked_s,
    r.sentry_mode_s,
    r.charging_states,
    r.shift_states,
    r.firmware_last
from (
    select 'hour' as resolution, * from vehicle_states_hourly
    union all
    select 'day', * from vehicle_states_daily
) r
join vehicles v on v.id = r.vehicle_id;

comment on view bi.vehicle_history is
'Samples of vehicles as fine as they are kept: a row per sample, hour or day, as resolution says. '
'Energies and times of a sample are those until the next one, if that comes within fifteen '
'minutes, energies of the straight line; power > 0 drives.';
