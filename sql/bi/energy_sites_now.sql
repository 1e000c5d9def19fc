create view bi.energy_sites_now as
select
    e.tesla_site_id,
    e.site_name,
    e.time_zone,
    s.timestamp,
    now() - s.timestamp as age,
    s.timestamp is null or now() - s.timestamp > interval '2 minutes' as is_stale,
    s.solar_power_w,
    s.battery_power_w,
    s.grid_power_w,
    s.load_power_w,
    s.generator_power_w,
    s.battery_percentage,
    s.grid_status,
    s.island_status
from energy_sites e
left join lateral (
    select * from energy_states
    where site_id = e.id and not is_stale
    order by timestamp desc
    limit 1
) s on true
where e.removed_at is null;

comment on view bi.energy_sites_now is
'One row per energy site of the account: its newest sample, and whether it is too old to stand for the present; battery > 0 discharges, grid > 0 imports.';
