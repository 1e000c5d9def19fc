create view bi.energy_intervals as
select
    e.tesla_site_id,
    e.site_name,
    i.timestamp,
    i.timestamp at time zone e.time_zone as local_time,
    i.solar_wh,
    i.generator_wh,
    i.battery_discharged_wh,
    i.battery_charged_wh,
    i.grid_imported_wh,
    i.grid_exported_wh,
    i.home_wh,
    i.solar_to_home_wh,
    i.solar_to_battery_wh,
    i.solar_to_grid_wh,
    i.battery_to_home_wh,
    i.battery_to_grid_wh,
    i.grid_to_home_wh,
    i.grid_to_battery_wh,
    i.generator_to_home_wh,
    i.generator_to_battery_wh,
    i.generator_to_grid_wh,
    i.residual_wh,
    i.soc_pct,
    i.source,
    i.coverage
from energy_intervals i
join energy_sites e on e.id = i.site_id;

comment on view bi.energy_intervals is
'Energy and flows per site and five minutes, with the site''s local time.';
