create view bi.drives as
select
    v.vin,
    v.display_name,
    r.name as driver_name,
    d.started_at,
    d.ended_at,
    z.time_zone,
    d.started_at at time zone z.time_zone as local_started_at,
    d.ended_at at time zone z.time_zone as local_ended_at,
    d.duration_minutes,
    a.name as start_place,
    b.name as end_place,
    d.distance_miles as distance_mi,
    d.distance_miles * 1.609344 as distance_km,
    d.start_battery_level as start_battery_level_pct,
    d.end_battery_level as end_battery_level_pct,
    d.energy_used_kwh,
    d.energy_source,
    d.power_coverage_pct,
    d.efficiency_wh_per_mile as efficiency_wh_per_mi,
    d.efficiency_wh_per_mile / 1.609344 as efficiency_wh_per_km,
    d.speed_avg_mph,
    d.speed_avg_mph * 1.609344 as speed_avg_kmh,
    d.speed_max_mph,
    d.speed_max_mph * 1.609344 as speed_max_kmh,
    d.outside_temp_avg as outside_temp_avg_c,
    d.is_inferred,
    extract(epoch from d.started_by - d.started_after)::float8 / 60 as start_uncertainty_minutes,
    extract(epoch from d.ended_by - d.ended_after)::float8 / 60 as end_uncertainty_minutes,
    d.samples,
    d.start_odometer as start_odometer_mi,
    d.end_odometer as end_odometer_mi,
    d.start_odometer * 1.609344 as start_odometer_km,
    d.end_odometer * 1.609344 as end_odometer_km,
    d.start_latitude,
    d.start_longitude,
    d.end_latitude,
    d.end_longitude
from drives d
join vehicles v on v.id = d.vehicle_id
left join drivers r on r.id = d.driver_id
left join places a on a.id = d.start_place_id
left join places b on b.id = d.end_place_id
left join energy_sites e on e.id = coalesce(a.site_id, b.site_id)
cross join lateral (select coalesce(e.time_zone, household_time_zone()) as time_zone) z;

comment on view bi.drives is
'One row per drive, in miles and kilometres; local times are of the zone of the energy site where it '
'began, else where it ended, else of the household''s first, else UTC. A drive without an end is under way.';
