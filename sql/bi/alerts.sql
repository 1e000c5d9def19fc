create view bi.alerts as
select
    a.status,
    a.severity,
    a.category,
    a.code,
    coalesce(v.display_name, v.vin, e.site_name, e.tesla_site_id::text) as name,
    a.message,
    a.opened_at,
    a.last_seen_at,
    a.acknowledged_at,
    a.resolved_at,
    a.posted_at,
    a.context,
    a.id
from alerts a
left join vehicles v on replace(v.id::text, '-', '') = a.subject
left join energy_sites e on replace(e.id::text, '-', '') = a.subject
order by a.status = 'resolved', a.severity <> 'critical', a.opened_at desc;

comment on view bi.alerts is
'What a person should know of, open ones first; no name means the whole account.';
