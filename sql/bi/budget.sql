create view bi.budget as
with month as (
    select
        date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as start,
        (date_trunc('month', now() at time zone 'UTC') + interval '1 month')
            at time zone 'UTC' as next
),
spent as (
    select
        count(*) filter (where requested_at >= start) as calls,
        coalesce(sum(cost_usd) filter (where requested_at >= start), 0) as spent_usd,
        coalesce(sum(cost_usd) filter (where requested_at >= now() - interval '7 days'), 0)
            / least(7, greatest(1, extract(epoch from now() - min(requested_at)) / 86400))
            as usd_per_day
    from month
    left join api_calls on requested_at >= least(start, now() - interval '7 days')
)
select
    (m.start at time zone 'UTC')::date as month,
    s.calls,
    s.spent_usd,
    coalesce(s.usd_per_day, 0)::float8 as usd_per_day,
    (s.spent_usd
        + coalesce(s.usd_per_day, 0) * extract(epoch from m.next - now()) / 86400
    )::float8 as forecast_usd,
    extract(epoch from now() - m.start)::float8 / 86400 as days_gone,
    extract(epoch from m.next - m.start)::float8 / 86400 as days_in_month
from month m, spent s;

comment on view bi.budget is
'One row: what requests to Tesla have cost this month (UTC), US dollars, and what they will have cost at its end if they go on as in the last seven days.';
