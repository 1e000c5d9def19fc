create view bi.dirty_days as
select
    e.tesla_site_id,
    e.site_name,
    d.date,
    d.reader as to_compute,
    d.since,
    now() - d.since as waits,
    d.changes
from dirty_days d
join energy_sites e on e.id = d.site_id;

comment on view bi.dirty_days is
'Days of sites whose inputs changed since a table was computed from them, and for how long they '
'wait: an hour at most while a day is in progress, some minutes once it is over.';
