create view bi.energy_history as
select
    e.tesla_site_id,
    e.site_name,
    s.timestamp,
    s.timestamp at time zone e.time_zone as local_time,
    'sample' as resolution,
    1 as sample_count,
    coalesce(n.hours * 3600, 0) as covered_s,
    s.timestamp as first_at,
    s.timestamp as last_at,
    s.solar_power_w as solar_power_min_w,
    s.solar_power_w as solar_power_mean_w,
    s.solar_power_w as solar_power_max_w,
    s.battery_power_w as battery_power_min_w,
    s.battery_power_w as battery_power_mean_w,
    s.battery_power_w as battery_power_max_w,
    s.grid_power_w as grid_power_min_w,
    s.grid_power_w as grid_power_mean_w,
    s.grid_power_w as grid_power_max_w,
    s.load_power_w as load_power_min_w,
    s.load_power_w as load_power_mean_w,
    s.load_power_w as load_power_max_w,
    s.generator_power_w as generator_power_min_w,
    s.generator_power_w as generator_power_mean_w,
    s.generator_power_w as generator_power_max_w,
    s.battery_percentage as battery_percentage_min_pct,
    s.battery_percentage as battery_percentage_mean_pct,
    s.battery_percentage as battery_percentage_max_pct,
    s.battery_percentage as battery_percentage_first_pct,
    s.battery_percentage as battery_percentage_last_pct,
    s.energy_left_wh as energy_left_first_wh,
    s.energy_left_wh as energy_left_last_wh,
    s.total_pack_energy_wh as total_pack_energy_last_wh,
    bi.area_above(s.solar_power_w, n.solar_power_w, n.hours) as solar_wh,
    bi.area_above(s.battery_power_w, n.battery_power_w, n.hours) as battery_discharged_wh,
    bi.area_above(-s.battery_power_w, -n.battery_power_w, n.hours) as battery_charged_wh,
    bi.area_above(s.grid_power_w, n.grid_power_w, n.hours) as grid_imported_wh,
    bi.area_above(-s.grid_power_w, -n.grid_power_w, n.hours) as grid_exported_wh,
    bi.area_above(s.load_power_w, n.load_power_w, n.hours) as load_wh,
    bi.area_above(s.generator_power_w, n.generator_power_w, n.hours) as generator_wh,
    s.grid_status as grid_statuses,
    s.island_status as island_statuses
from energy_states s
join energy_sites e on e.id = s.site_id
-- The next sample. As an aggregate it is one row for certain, so that the planner leaves the join
-- out where nothing of it is asked for.
left join lateral (
    select
        extract(epoch from max(next.timestamp) - s.timestamp)::float8 / 3600 as hours,
        max(next.solar_power_w) as solar_power_w,
        max(next.battery_power_w) as battery_power_w,
        max(next.grid_power_w) as grid_power_w,
        max(next.load_power_w) as load_power_w,
        max(next.generator_power_w) as generator_power_w
    from (
        select *
        from energy_states
        where site_id = s.site_id
            and timestamp > s.timestamp
            and timestamp <= s.timestamp + interval '10 minutes'
        order by timestamp
        limit 1
    ) next
) n on true
-- What came late for a day that was dropped waits here to be merged with its hours.
where (s.timestamp at time zone 'UTC')::date not in (
    select start from retention_log where series = 'energy_states'
)
union all
select
    e.tesla_site_id,
    e.site_name,
    r.timestamp,
    r.timestamp at time zone e.time_zone,
    r.resolution,
    r.sample_count,
    r.covered_s,
    r.first_at,
    r.last_at,
    r.solar_power_min_w,
    r.solar_power_mean_w,
    r.solar_power_max_w,
    r.battery_power_min_w,
    r.battery_power_mean_w,
    r.battery_power_max_w,
    r.grid_power_min_w,
    r.grid_power_mean_w,
    r.grid_power_max_w,
    r.load_power_min_w,
    r.load_power_mean_w,
    r.load_power_max_w,
    r.generator_power_min_w,
    r.generator_power_mean_w,
    r.generator_power_max_w,
    r.battery_percentage_min_pct,
    r.battery_percentage_mean_pct,
    r.battery_percentage_max_pct,
    r.battery_percentage_first_pct,
    r.battery_percentage_last_pct,
    r.energy_left_first_wh,
    r.energy_left_last_wh,
    r.total_pack_energy_last_wh,
    r.solar_wh,
    r.battery_discharged_wh,
    r.battery_charged_wh,
    r.grid_imported_wh,
    r.grid_exported_wh,
    r.load_wh,
    r.generator_wh,
    r.grid_statuses,
    r.island_statuses
from (
    select 'hour' as resolution, * from energy_states_hourly
    union all
    select 'day', * from energy_states_daily
) r
join energy_sites e on e.id = r.site_id;

comment on view bi.energy_history is
'Samples of sites as fine as they are kept: a row per sample, hour or day, as resolution says. '
'Energies and covered time of a sample are those of the straight line to the next one, if that '
'comes within ten minutes; battery > 0 discharges, grid > 0 imports.';
