create view bi.vehicle_months as
with driven as (
    select
        vin,
        date_trunc('month', local_started_at)::date as month,
        count(*) as drives,
        sum(distance_mi) as driven_mi,
        sum(distance_mi) filter (where energy_used_kwh is not null) as measured_mi,
        sum(energy_used_kwh) as energy_used_kwh
    from bi.drives
    group by 1, 2
),
unseen as (
    select
        vin,
        date_trunc('month', seen_again_at at time zone 'UTC')::date as month,
        sum(distance_mi) as unseen_mi
    from bi.unseen_distances
    group by 1, 2
),
charged as (
    select
        vin,
        date_trunc('month', local_started_at)::date as month,
        count(*) as charging_sessions,
        count(*) filter (where charger_type = 'home') as home_sessions,
        count(*) filter (where charger_type = 'supercharger') as supercharger_sessions,
        count(*) filter (where charger_type = 'destination') as destination_sessions,
        count(*) filter (where charger_type = 'third_party') as third_party_sessions,
        count(*) filter (where charger_type = 'other') as other_sessions,
        sum(energy_added_kwh) as energy_added_kwh,
        sum(solar_energy_kwh) as solar_energy_kwh,
        sum(cost) as cost,
        case when not bool_or(cost is not null and cost_with_solar is null and has_charged)
            then sum(cost_with_solar) end as cost_with_solar,
        min(cost_currency) as cost_currency,
        count(distinct cost_currency) > 1 as is_mixed,
        count(*) filter (where cost is null and has_charged) as sessions_without_cost
    from bi.charging_sessions
    cross join lateral (select energy_added_kwh is distinct from 0 as has_charged) h
    group by 1, 2
),
months as (
    select
        *,
        coalesce(driven_mi, 0) + coalesce(unseen_mi, 0) as odometer_mi,
        case when not is_mixed and sessions_without_cost = 0 then cost end as whole_cost
    from driven
    full join unseen using (vin, month)
    full join charged using (vin, month)
)
select
    m.vin,
    v.display_name,
    m.month,
    coalesce(m.drives, 0) as drives,
    coalesce(m.driven_mi, 0) as driven_mi,
    coalesce(m.driven_mi, 0) * 1.609344 as driven_km,
    coalesce(m.unseen_mi, 0) as unseen_mi,
    coalesce(m.unseen_mi, 0) * 1.609344 as unseen_km,
    m.energy_used_kwh,
    100 * m.measured_mi / nullif(m.driven_mi, 0) as energy_coverage_pct,
    1000 * m.energy_used_kwh / nullif(m.measured_mi, 0) as efficiency_wh_per_mi,
    1000 * m.energy_used_kwh / nullif(m.measured_mi * 1.609344, 0) as efficiency_wh_per_km,
    coalesce(m.charging_sessions, 0) as charging_sessions,
    coalesce(m.home_sessions, 0) as home_sessions,
    coalesce(m.supercharger_sessions, 0) as supercharger_sessions,
    coalesce(m.destination_sessions, 0) as destination_sessions,
    coalesce(m.third_party_sessions, 0) as third_party_sessions,
    coalesce(m.other_sessions, 0) as other_sessions,
    m.energy_added_kwh,
    m.solar_energy_kwh,
    case when not m.is_mixed then m.cost end as cost,
    case when not m.is_mixed then m.cost_with_solar end as cost_with_solar,
    case when not m.is_mixed then m.cost_currency end as cost_currency,
    coalesce(m.sessions_without_cost, 0) as sessions_without_cost,
    100 * m.whole_cost / nullif(m.odometer_mi * 1.609344, 0)::numeric as cost_per_100_km,
    m.whole_cost / nullif(m.odometer_mi, 0)::numeric as cost_per_mi
from months m
join vehicles v on v.vin = m.vin;

comment on view bi.vehicle_months is
'Driving and charging per vehicle and month: drives and plug-ins by their local start, what was '
'driven unseen by when the vehicle was seen again (UTC). Costs are those that are known, null in '
'several currencies; costs per distance, of all that the odometer moved, only if all are known.';
