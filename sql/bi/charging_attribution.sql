create view bi.charging_attribution as
select
    v.vin,
    v.display_name,
    e.site_name,
    s.location_name,
    a.session_started_at,
    z.time_zone,
    a.session_started_at at time zone z.time_zone as local_session_started_at,
    a.policy,
    a.energy_kwh,
    a.from_solar_kwh,
    a.from_battery_solar_kwh,
    a.from_battery_grid_kwh,
    a.from_battery_generator_kwh,
    a.from_battery_unknown_kwh,
    a.from_generator_kwh,
    a.from_grid_kwh,
    a.unattributed_kwh,
    a.solar_kwh,
    a.solar_pct,
    a.coverage_pct,
    s.id as charging_session_id
from charging_attribution a
join charging_sessions s
    on s.vehicle_id = a.vehicle_id and s.started_at = a.session_started_at
join vehicles v on v.id = a.vehicle_id
left join energy_sites e on e.id = s.site_id
cross join lateral (select coalesce(e.time_zone, household_time_zone()) as time_zone) z;

comment on view bi.charging_attribution is
'Where the energy of each plug-in at an energy site came from, one row per policy: directly, or '
'through the home battery by what had charged it; solar_kwh is both kinds of solar, and its share '
'is of what is known, which coverage_pct tells. Local times are of the site''s zone.';
