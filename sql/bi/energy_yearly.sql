create view bi.energy_yearly as
with summed as (
    select
        site_id,
        date_trunc('year', date::timestamp)::date as year,
        count(*) as days,
        sum(solar_produced_kwh) as solar_produced_kwh,
        sum(solar_to_home_kwh) as solar_to_home_kwh,
        sum(solar_to_battery_kwh) as solar_to_battery_kwh,
        sum(solar_to_grid_kwh) as solar_to_grid_kwh,
        sum(battery_charged_kwh) as battery_charged_kwh,
        sum(battery_discharged_kwh) as battery_discharged_kwh,
        sum(battery_to_home_kwh) as battery_to_home_kwh,
        sum(battery_to_grid_kwh) as battery_to_grid_kwh,
        sum(grid_imported_kwh) as grid_imported_kwh,
        sum(grid_exported_kwh) as grid_exported_kwh,
        sum(grid_to_home_kwh) as grid_to_home_kwh,
        sum(grid_to_battery_kwh) as grid_to_battery_kwh,
        sum(generator_produced_kwh) as generator_produced_kwh,
        sum(generator_to_home_kwh) as generator_to_home_kwh,
        sum(generator_to_battery_kwh) as generator_to_battery_kwh,
        sum(generator_to_grid_kwh) as generator_to_grid_kwh,
        sum(home_consumed_kwh) as home_consumed_kwh,
        100 * sum(solar_produced_kwh - solar_to_grid_kwh)
            / nullif(sum(solar_produced_kwh) filter (where solar_to_grid_kwh is not null), 0)
            as self_consumption_pct,
        100 * sum(solar_to_home_kwh) filter (where home_consumed_kwh is not null)
            / nullif(sum(home_consumed_kwh) filter (where solar_to_home_kwh is not null), 0)
            as solar_offset_pct,
        avg(coverage_pct) as coverage_pct,
        count(*) filter (where coverage_pct is null) as imported_days
    from energy_daily
    group by 1, 2
)
select
    e.tesla_site_id,
    e.site_name,
    s.year,
    s.days,
    (s.year + interval '1 year')::date - s.year as days_in_year,
    s.solar_produced_kwh,
    s.solar_to_home_kwh,
    s.solar_to_battery_kwh,
    s.solar_to_grid_kwh,
    s.battery_charged_kwh,
    s.battery_discharged_kwh,
    s.battery_to_home_kwh,
    s.battery_to_grid_kwh,
    s.grid_imported_kwh,
    s.grid_exported_kwh,
    s.grid_to_home_kwh,
    s.grid_to_battery_kwh,
    s.generator_produced_kwh,
    s.generator_to_home_kwh,
    s.generator_to_battery_kwh,
    s.generator_to_grid_kwh,
    s.home_consumed_kwh,
    s.self_consumption_pct,
    s.solar_offset_pct,
    s.coverage_pct,
    s.imported_days
from summed s
join energy_sites e on e.id = s.site_id;

comment on view bi.energy_yearly is
'Energy per site and year: the sum of those of its days that are known, which Tesla''s own totals '
'of a year disagree with. Shares are of the days that tell them, coverage is the mean of the '
'computed ones.';
