create view bi.vehicle_states as
select
    v.vin,
    v.display_name,
    s.timestamp,
    s.is_stale,
    s.latitude,
    s.longitude,
    s.heading,
    s.speed as speed_mph,
    s.speed * 1.609344 as speed_kmh,
    s.power as power_kw,
    s.shift_state,
    s.odometer as odometer_mi,
    s.odometer * 1.609344 as odometer_km,
    s.battery_level,
    s.usable_battery_level,
    s.battery_range as rated_range_mi,
    s.battery_range * 1.609344 as rated_range_km,
    s.charging_state,
    s.charger_power as charger_power_kw,
    s.charger_voltage,
    s.charger_actual_current,
    s.charger_phases,
    s.charge_energy_added as charge_energy_added_kwh,
    s.charge_limit_soc,
    s.fast_charger_present,
    s.fast_charger_type,
    s.fast_charger_brand,
    s.inside_temp as inside_temp_c,
    s.outside_temp as outside_temp_c,
    s.is_locked,
    s.sentry_mode,
    s.firmware
from vehicle_states s
join vehicles v on v.id = s.vehicle_id;

comment on view bi.vehicle_states is 'Samples of vehicles with their names, miles and kilometres.';
