create view bi.charging_segments as
select
    v.vin,
    v.display_name,
    s.location_name,
    s.charger_type,
    g.session_started_at,
    g.started_at,
    g.ended_at,
    z.time_zone,
    g.started_at at time zone z.time_zone as local_started_at,
    g.ended_at at time zone z.time_zone as local_ended_at,
    extract(epoch from g.ended_at - g.started_at)::float8 / 60 as duration_minutes,
    g.start_battery_level as start_battery_level_pct,
    g.end_battery_level as end_battery_level_pct,
    g.energy_added_kwh,
    g.energy_used_kwh,
    g.energy_used_coverage_pct,
    g.charge_rate_kw_avg,
    g.charge_rate_kw_max,
    g.is_inferred,
    extract(epoch from g.started_by - g.started_after)::float8 / 60 as start_uncertainty_minutes,
    extract(epoch from g.ended_by - g.ended_after)::float8 / 60 as end_uncertainty_minutes,
    g.samples,
    s.id as charging_session_id
from charging_segments g
join charging_sessions s
    on s.vehicle_id = g.vehicle_id and s.started_at = g.session_started_at
join vehicles v on v.id = g.vehicle_id
left join energy_sites e on e.id = s.site_id
cross join lateral (select coalesce(e.time_zone, household_time_zone()) as time_zone) z;

comment on view bi.charging_segments is
'One row per stretch of charging within a plug-in; local times are of the plug-in''s energy site''s '
'zone, else of the household''s first, else UTC.';
