create view bi.charging_sessions as
select
    v.vin,
    v.display_name,
    s.started_at,
    s.ended_at,
    z.time_zone,
    s.started_at at time zone z.time_zone as local_started_at,
    s.ended_at at time zone z.time_zone as local_ended_at,
    s.duration_minutes,
    s.status,
    s.location_name,
    e.site_name,
    s.charger_type,
    s.charger_name,
    s.start_battery_level as start_battery_level_pct,
    s.end_battery_level as end_battery_level_pct,
    s.charge_limit_soc as charge_limit_pct,
    s.energy_added_kwh,
    s.energy_used_kwh,
    s.energy_used_coverage_pct,
    s.efficiency_pct,
    s.idle_energy_used_kwh,
    s.charge_rate_kw_avg,
    s.charge_rate_kw_max,
    s.solar_energy_kwh,
    s.solar_percentage as solar_pct,
    (
        select max(a.coverage_pct) from charging_attribution a
        where a.vehicle_id = s.vehicle_id and a.session_started_at = s.started_at
    ) as solar_coverage_pct,
    s.cost,
    s.cost_with_solar,
    s.cost_currency,
    s.cost_reason,
    s.cost / nullif((
        select sum(c.energy_kwh) from charging_costs c
        where c.vehicle_id = s.vehicle_id and c.session_started_at = s.started_at
    )::numeric, 0) as price_per_kwh,
    s.is_inferred,
    s.is_estimated,
    extract(epoch from s.started_by - s.started_after)::float8 / 60 as start_uncertainty_minutes,
    extract(epoch from s.ended_by - s.ended_after)::float8 / 60 as end_uncertainty_minutes,
    s.segments,
    s.samples,
    s.is_dc,
    s.phases,
    s.fast_charger_type,
    s.fast_charger_brand,
    s.conn_charge_cable,
    s.odometer as odometer_mi,
    s.odometer * 1.609344 as odometer_km,
    s.outside_temp as outside_temp_c,
    s.latitude,
    s.longitude,
    s.id as charging_session_id
from charging_sessions s
join vehicles v on v.id = s.vehicle_id
left join energy_sites e on e.id = s.site_id
cross join lateral (select coalesce(e.time_zone, household_time_zone()) as time_zone) z;

comment on view bi.charging_sessions is
'One row per plug-in, with its cost; local times are of its energy site''s zone, else of the '
'household''s first, else UTC. The price is of a kWh drawn. What is solar is told of the part of '
'the energy that solar_coverage_pct says. An uncertainty is the time between the two samples that '
'the start or end lies between; docs/charging.md says how far to trust what.';
