create view bi.driver_statistics as
with driven as (
    select
        d.*,
        date_trunc('month', d.started_at at time zone z.time_zone)::date as month
    from drives d
    left join places a on a.id = d.start_place_id
    left join places b on b.id = d.end_place_id
    left join energy_sites e on e.id = coalesce(a.site_id, b.site_id)
    cross join lateral (
        select coalesce(e.time_zone, household_time_zone()) as time_zone
    ) z
),
totals as (
    select
        vehicle_id,
        driver_id,
        month,
        count(*) as drives,
        sum(duration_minutes) / 60 as hours,
        sum(distance_miles) as distance_mi,
        sum(distance_miles) filter (where energy_used_kwh is not null) as measured_mi,
        sum(energy_used_kwh) as energy_used_kwh
    from driven
    group by vehicle_id, driver_id, month
)
select
    v.vin,
    v.display_name,
    t.month,
    r.name as driver_name,
    t.drives,
    t.hours,
    t.distance_mi,
    t.distance_mi * 1.609344 as distance_km,
    100 * t.distance_mi / nullif(sum(t.distance_mi) over (partition by t.vehicle_id, t.month), 0)
        as distance_share_pct,
    t.energy_used_kwh,
    100 * t.measured_mi / nullif(t.distance_mi, 0) as energy_coverage_pct,
    1000 * t.energy_used_kwh / nullif(t.measured_mi, 0) as efficiency_wh_per_mi,
    1000 * t.energy_used_kwh / nullif(t.measured_mi * 1.609344, 0) as efficiency_wh_per_km
from totals t
join vehicles v on v.id = t.vehicle_id
left join drivers r on r.id = t.driver_id;

comment on view bi.driver_statistics is
'Drives per vehicle, driver and month, by the local time of bi.drives; the row without a driver is '
'what nobody is known to have driven. The share is of the vehicle''s month; efficiency is of the '
'part of the distance whose energy is known, which the coverage tells.';
