create view bi.solar_attribution_daily as
select
    e.tesla_site_id,
    e.site_name,
    d.date,
    d.policy,
    coalesce(v.display_name, v.vin, 'home') as used_by,
    v.vin,
    d.energy_kwh,
    d.from_solar_kwh,
    d.from_battery_solar_kwh,
    d.from_battery_grid_kwh,
    d.from_battery_generator_kwh,
    d.from_battery_unknown_kwh,
    d.from_generator_kwh,
    d.from_grid_kwh,
    d.unattributed_kwh,
    d.solar_kwh,
    d.grid_cost,
    d.solar_value,
    d.currency,
    y.coverage_pct
from solar_attribution_daily d
join energy_sites e on e.id = d.site_id
left join energy_daily y on y.site_id = d.site_id and y.date = d.date
left join vehicles v on v.id = d.vehicle_id;

comment on view bi.solar_attribution_daily is
'Where the energy of each car, and of the home without its cars (used_by is home), came from, per '
'site, local day and policy; what its grid energy cost, what its solar would have earned, and how '
'much of the day was measured.';
