create view bi.charging_reconciliation as
with connectors as (
    select vehicle_id, session_started_at, sum(energy_wh) / 1000 as connector_kwh,
        count(*) as connector_charges
    from wall_connector_charges
    where session_started_at is not null
    group by vehicle_id, session_started_at
),
bills as (
    select charging_session_id, sum(energy_kwh) as energy_kwh, count(*) as bills
    from bi.charging_bills
    where charging_session_id is not null
    group by charging_session_id
),
energies as (
    select
        s.*,
        c.connector_kwh,
        coalesce(c.connector_charges, 0) as connector_charges,
        b.energy_kwh as billed_kwh,
        coalesce(b.bills, 0) as bills,
        s.energy_used_kwh + coalesce(s.idle_energy_used_kwh, 0) as drawn_kwh
    from charging_sessions s
    left join connectors c
        on c.vehicle_id = s.vehicle_id and c.session_started_at = s.started_at
    left join bills b on b.charging_session_id = s.id
)
select
    v.vin,
    v.display_name,
    e.started_at,
    e.ended_at,
    e.status,
    e.charger_type,
    e.location_name,
    e.energy_added_kwh,
    e.energy_used_kwh,
    e.energy_used_coverage_pct,
    e.idle_energy_used_kwh,
    e.connector_live_kwh,
    e.connector_kwh,
    e.connector_charges,
    e.billed_kwh,
    e.bills,
    e.energy_used_kwh - e.energy_added_kwh as used_less_added_kwh,
    100 * (e.energy_used_kwh - e.energy_added_kwh) / nullif(e.energy_used_kwh, 0)
        as used_less_added_pct,
    e.connector_kwh - e.drawn_kwh as connector_less_used_kwh,
    100 * (e.connector_kwh - e.drawn_kwh) / nullif(e.connector_kwh, 0) as connector_less_used_pct,
    e.billed_kwh - e.energy_used_kwh as billed_less_used_kwh,
    100 * (e.billed_kwh - e.energy_used_kwh) / nullif(e.billed_kwh, 0) as billed_less_used_pct,
    e.id as charging_session_id
from energies e
join vehicles v on v.id = e.vehicle_id;

comment on view bi.charging_reconciliation is
'The energies of each charging session side by side: what the car counted, drew from the wall, what '
'the wall connector showed live and counted (telemetry_history), and what Tesla billed; shares are of the first of each two.';
