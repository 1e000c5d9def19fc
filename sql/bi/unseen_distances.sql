create view bi.unseen_distances as
select
    v.vin,
    v.display_name,
    u.after as last_seen_at,
    u.before as seen_again_at,
    extract(epoch from u.before - u.after)::float8 / 3600 as hours,
    u.distance_miles as distance_mi,
    u.distance_miles * 1.609344 as distance_km,
    u.from_odometer as from_odometer_mi,
    u.to_odometer as to_odometer_mi,
    u.from_odometer * 1.609344 as from_odometer_km,
    u.to_odometer * 1.609344 as to_odometer_km,
    u.from_battery_level as from_battery_level_pct,
    u.to_battery_level as to_battery_level_pct
from unseen_distances u
join vehicles v on v.id = u.vehicle_id;

comment on view bi.unseen_distances is
'What vehicles drove, by their odometers, between two samples without being seen, so that it is in no '
'drive; below zero where an odometer stepped back.';
