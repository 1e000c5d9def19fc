create view bi.budget as
with month as (
    select date_trunc('month', now() at time zone 'UTC') as start
)
select
    m.start::date as month,
    count(c.id) as calls,
    coalesce(sum(c.cost_usd), 0) as spent_usd,
    extract(epoch from now() at time zone 'UTC' - m.start)::float8 / 86400 as days_gone,
    extract(day from m.start + interval '1 month' - interval '1 day')::int as days_in_month
from month m
left join api_calls c on c.requested_at >= m.start at time zone 'UTC'
group by m.start;

comment on view bi.budget is
'One row: what requests to Tesla have cost this month (UTC), US dollars, and how far it has gone.';
