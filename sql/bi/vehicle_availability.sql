create view bi.vehicle_availability as
select
    v.vin,
    v.display_name,
    a.state,
    a.started_at,
    a.ended_at,
    a.last_seen_at,
    coalesce(a.ended_at, a.last_seen_at) - a.started_at as duration
from vehicle_availability a
join vehicles v on v.id = a.vehicle_id;

comment on view bi.vehicle_availability is
'When each vehicle was online, asleep or offline; no end means that it still is, as last seen.';
