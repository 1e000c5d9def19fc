create view bi.energy_hourly as
select
    e.tesla_site_id,
    e.site_name,
    h.timestamp,
    h.timestamp at time zone e.time_zone as local_time,
    h.solar_produced_kwh,
    h.solar_to_home_kwh,
    h.solar_to_battery_kwh,
    h.solar_to_grid_kwh,
    h.battery_charged_kwh,
    h.battery_discharged_kwh,
    h.battery_to_home_kwh,
    h.battery_to_grid_kwh,
    h.grid_imported_kwh,
    h.grid_exported_kwh,
    h.grid_to_home_kwh,
    h.grid_to_battery_kwh,
    h.generator_produced_kwh,
    h.generator_to_home_kwh,
    h.generator_to_battery_kwh,
    h.generator_to_grid_kwh,
    h.home_consumed_kwh,
    h.soc_pct,
    h.coverage_pct,
    h.source
from energy_hourly h
join energy_sites e on e.id = h.site_id;

comment on view bi.energy_hourly is
'Energy per site and hour of its clock; an hour that the clock repeats comes twice.';
