create view bi.energy_gaps as
with sites as (
    select e.id, e.tesla_site_id, e.site_name, e.time_zone,
        e.tesla_site_id is not null and e.removed_at is null as is_listed,
        least(
            (select (timestamp at time zone e.time_zone)::date from energy_states
                where site_id = e.id order by timestamp limit 1),
            (select (timestamp at time zone e.time_zone)::date from energy_intervals
                where site_id = e.id order by timestamp limit 1),
            (select min(date) from energy_history where site_id = e.id and kind = 'energy'),
            (select min(date) from energy_history where site_id = e.id and kind = 'power'),
            (select min(date) from energy_history where site_id = e.id and kind = 'soe'),
            (select min(date) from energy_daily where site_id = e.id and source <> 'app_export')
        ) as first,
        ((now() - interval '30 minutes') at time zone e.time_zone)::date - 1 as last
    from energy_sites e
    where e.time_zone is not null
),
days as (
    select s.*, day::date as date, (day + interval '1 day') at time zone s.time_zone as ended_at
    from sites s, generate_series(s.first::timestamp, s.last::timestamp, interval '1 day') day
),
answers as (
    select d.id, d.tesla_site_id, d.site_name, d.is_listed, d.date,
        coalesce(e.coverage_pct, 0) as coverage_pct,
        string_agg(k.name, ', ' order by k.name) filter (where h.site_id is null) as missing,
        coalesce(max(m.times) filter (where h.site_id is null), 0) as asked_in_vain,
        max(m.left_until) filter (where h.site_id is null) as left_until
    from days d
    cross join (values ('energy'), ('power'), ('soe')) k (name)
    left join energy_daily e on e.site_id = d.id and e.date = d.date
    left join energy_history h on h.site_id = d.id and h.kind = k.name and h.date = d.date
        and h.received_at >= d.ended_at + interval '30 minutes'
        and not (
            k.name = 'energy'
            and h.received_at <= now() - interval '1 day'
            and d.ended_at + interval '30 minutes' > now() - interval '14 days'
            and coalesce(e.coverage_pct, 0) < 99.9
        )
    left join history_misses m on m.site_id = d.id and m.kind = k.name and m.date = d.date
    group by d.id, d.tesla_site_id, d.site_name, d.is_listed, d.date, e.coverage_pct
)
select
    a.tesla_site_id,
    a.site_name,
    a.date,
    a.coverage_pct,
    a.missing,
    a.is_listed and a.missing is not null as is_fillable,
    a.asked_in_vain,
    a.left_until
from answers a
where a.missing is not null or round(a.coverage_pct::numeric, 2) < 100;

comment on view bi.energy_gaps is
'Site-days that are over and not fully known, since the site''s first known day: how much was measured, which kinds of Tesla''s history have not come since the day ended, and whether they may yet (is_fillable). For two weeks the energy of a day that is covered by less than 99.9 per cent is missing again a day after it came, since a site that was offline uploads later; then a day whose answers all came is as full as it gets. What was asked for in vain is left alone until left_until.';
