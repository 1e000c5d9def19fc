create view bi.charging_bills as
with fees as (
    select
        f.session_id,
        f.fee_type,
        f.currency,
        f.is_paid,
        coalesce(f.net_due, f.total_due, case f.pricing_type when 'NO_CHARGE' then 0 end)
            ::numeric(12, 2) as due,
        case f.uom when 'kwh' then u.units end as kwh,
        case f.uom when 'min' then u.units end as minutes
    from charging_fees f
    cross join lateral (
        select sum(units) as units
        from (values (f.usage_base), (f.usage_tier_1), (f.usage_tier_2), (f.usage_tier_3),
            (f.usage_tier_4)) as tiers (units)
    ) u
),
totals as (
    select
        session_id,
        sum(kwh) filter (where fee_type = 'CHARGING') as energy_kwh,
        sum(minutes) filter (where fee_type = 'PARKING') as idle_minutes,
        sum(due) filter (where fee_type = 'CHARGING') as charging_due,
        sum(due) filter (where fee_type = 'PARKING') as idle_due,
        sum(due) filter (where fee_type not in ('CHARGING', 'PARKING')) as other_due,
        sum(due) as total_due,
        max(currency) as currency,
        bool_and(is_paid) as is_paid
    from fees
    group by session_id
)
select
    b.session_id as tesla_session_id,
    b.vin,
    v.display_name,
    b.site_name,
    b.country,
    b.started_at,
    b.stopped_at,
    b.unlatched_at,
    t.energy_kwh,
    t.idle_minutes,
    t.charging_due,
    t.idle_due,
    t.other_due,
    t.total_due,
    t.currency,
    t.is_paid,
    b.billing_type,
    s.id as charging_session_id,
    s.started_at as charging_session_started_at
from charging_bills b
left join totals t on t.session_id = b.session_id
left join vehicles v on v.vin = b.vin
left join charging_sessions s
    on s.vehicle_id = b.vehicle_id and s.started_at = b.session_started_at;

comment on view bi.charging_bills is
'What Tesla billed, fees summed by kind; no charging session means that no sample shows the charge.';
