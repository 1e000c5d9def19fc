create view bi.api_spend as
select
    (requested_at at time zone 'UTC')::date as day,
    endpoint,
    category,
    count(*) as calls,
    count(*) filter (where status is null or status >= 400) as failed,
    sum(cost_usd) as cost_usd
from api_calls
group by 1, 2, 3;

comment on view bi.api_spend is
'Requests to Tesla by UTC day and endpoint: how many, how many of them failed, and US dollars.';
