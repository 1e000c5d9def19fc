create view bi.polling as
with subjects as (
    select v.id, 'vehicle' as kind, coalesce(v.display_name, v.vin) as name, a.state,
        a.started_at as state_since, a.last_seen_at as state_seen_at
    from vehicles v
    left join vehicle_availability a on a.vehicle_id = v.id and a.ended_at is null
    where v.removed_at is null
    union all
    select id, 'energy_site', coalesce(site_name, tesla_site_id::text), null, null, null
    from energy_sites
    where removed_at is null and tesla_site_id is not null
)
select
    s.kind,
    s.name,
    s.state,
    s.state_since,
    s.state_seen_at,
    p.last_success_at,
    p.last_attempt_at,
    coalesce(p.failures_in_a_row, 0) as failures_in_a_row,
    p.last_error,
    p.decision,
    p.reason,
    p.decided_at,
    p.next_look_at
from subjects s
left join polling_status p on p.subject_id = s.id;

comment on view bi.polling is
'How polling goes, one row per vehicle and site: state, last success, why it is asked or left alone.';
