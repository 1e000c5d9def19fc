create view bi.charging_costs as
select
    v.vin,
    v.display_name,
    s.location_name,
    s.charger_type,
    c.session_started_at,
    c.line,
    c.kind,
    c.start as started_at,
    c.end as ended_at,
    z.time_zone,
    c.session_started_at at time zone z.time_zone as local_session_started_at,
    c.start at time zone z.time_zone as local_started_at,
    c.end at time zone z.time_zone as local_ended_at,
    c.energy_kwh,
    c.solar_kwh,
    c.grid_kwh,
    c.minutes,
    c.unit,
    c.buy_price,
    c.sell_price,
    c.amount_grid,
    c.amount_solar,
    c.currency,
    c.tariff_name,
    c.is_paid,
    s.id as charging_session_id
from charging_costs c
join charging_sessions s
    on s.vehicle_id = c.vehicle_id and s.started_at = c.session_started_at
join vehicles v on v.id = c.vehicle_id
left join energy_sites e on e.id = s.site_id
cross join lateral (select coalesce(e.time_zone, household_time_zone()) as time_zone) z;

comment on view bi.charging_costs is
'The lines that explain what each plug-in cost: energy, minutes and fees at their prices, with all '
'energy at the price of the grid and with solar at what its export would have earned; local times '
'are of the plug-in''s energy site''s zone, else of the household''s first, '
'else UTC. What is of the whole plug-in has no times.';
