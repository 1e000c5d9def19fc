create view bi.energy_daily as
select
    e.tesla_site_id,
    e.site_name,
    d.date,
    d.solar_produced_kwh,
    d.solar_to_home_kwh,
    d.solar_to_battery_kwh,
    d.solar_to_grid_kwh,
    d.battery_charged_kwh,
    d.battery_discharged_kwh,
    d.battery_to_home_kwh,
    d.battery_to_grid_kwh,
    d.grid_imported_kwh,
    d.grid_exported_kwh,
    d.grid_to_home_kwh,
    d.grid_to_battery_kwh,
    d.generator_produced_kwh,
    d.generator_to_home_kwh,
    d.generator_to_battery_kwh,
    d.generator_to_grid_kwh,
    d.home_consumed_kwh,
    d.solar_produced_kwh + d.battery_discharged_kwh + d.grid_imported_kwh
        + coalesce(d.generator_produced_kwh, 0) - d.home_consumed_kwh - d.battery_charged_kwh - d.grid_exported_kwh as residual_kwh,
    d.self_consumption_pct,
    d.solar_offset_pct,
    d.coverage_pct,
    d.source
from energy_daily d
join energy_sites e on e.id = d.site_id;

comment on view bi.energy_daily is
'Energy per site and local day; the residual is what does not balance (0 where all is known).';
