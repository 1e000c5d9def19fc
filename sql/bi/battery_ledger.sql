create view bi.battery_ledger as
select
    e.tesla_site_id,
    e.site_name,
    l.date,
    l.origin,
    l.opening_wh / 1000 as opening_kwh,
    l.charged_wh / 1000 as charged_kwh,
    l.discharged_wh / 1000 as discharged_kwh,
    l.lost_wh / 1000 as lost_kwh,
    l.adjusted_wh / 1000 as adjusted_kwh,
    l.closing_wh / 1000 as closing_kwh,
    100 * l.closing_wh / nullif(sum(l.closing_wh) over (partition by l.site_id, l.date), 0)
        as closing_share_pct,
    1000 * l.closing_cost / nullif(l.closing_priced_wh, 0) as closing_cost_per_kwh
from battery_ledger l
join energy_sites e on e.id = l.site_id;

comment on view bi.battery_ledger is
'What the home batteries held and passed on per site and local day, by what had charged them: '
'opening + charged - discharged - lost + adjusted = closing.';
