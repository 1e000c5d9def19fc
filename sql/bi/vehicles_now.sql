create view bi.vehicles_now as
select
    v.vin,
    v.display_name,
    v.model,
    a.state,
    s.timestamp,
    now() - s.timestamp as age,
    s.timestamp is null or now() - s.timestamp > interval '2 minutes' as is_stale,
    s.battery_level,
    s.charge_limit_soc,
    s.charging_state,
    s.charger_power as charger_power_kw,
    s.battery_range as rated_range_mi,
    s.battery_range * 1.609344 as rated_range_km,
    s.odometer as odometer_mi,
    s.odometer * 1.609344 as odometer_km,
    s.shift_state,
    s.speed as speed_mph,
    s.speed * 1.609344 as speed_kmh,
    s.latitude,
    s.longitude,
    s.inside_temp as inside_temp_c,
    s.outside_temp as outside_temp_c,
    s.is_locked,
    s.sentry_mode,
    s.firmware
from vehicles v
left join vehicle_availability a on a.vehicle_id = v.id and a.ended_at is null
left join lateral (
    select * from vehicle_states
    where vehicle_id = v.id and not is_stale
    order by timestamp desc
    limit 1
) s on true
where v.removed_at is null;

comment on view bi.vehicles_now is
'One row per vehicle of the account: its state, and its newest sample, in miles and kilometres; a stale one is not of the present, as its age says.';
