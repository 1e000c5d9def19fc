"""The daily energy of sites from their samples in SQL, for Postgres and for DuckDB.

The same definition as `domain/live_intervals.py` and `domain/flows.py` have: straight lines between
samples, cut where five minutes end, signs and exchanges measured apart, flows split per interval,
summed over local days. Each dialect has the form that was fastest in it. Not here: timing.
"""

# ruff: noqa: S608 - what is put into the queries comes from here or is a date

from collections.abc import Callable
from datetime import date

from tessie_pipeline.domain.live_intervals import LIVE_STATUS

_POWERS = ("solar", "battery", "grid", "load", "generator")
_POWER_COLUMNS = ", ".join(f"{power}_power_w as {power}" for power in _POWERS)
_SUMS = {
    "solar_produced_kwh": "solar",
    "solar_to_home_kwh": "solar_to_home",
    "solar_to_battery_kwh": "solar_to_battery",
    "solar_to_grid_kwh": "solar_to_grid",
    "battery_charged_kwh": "charged",
    "battery_discharged_kwh": "discharged",
    "battery_to_home_kwh": "battery_to_home",
    "battery_to_grid_kwh": "battery_to_grid",
    "grid_imported_kwh": "imported",
    "grid_exported_kwh": "exported",
    "grid_to_home_kwh": "grid_to_home",
    "grid_to_battery_kwh": "grid_to_battery",
    "generator_produced_kwh": "generator",
    "generator_to_home_kwh": "made_to_home - solar_to_home",
    "generator_to_battery_kwh": "made_to_battery - solar_to_battery",
    "generator_to_grid_kwh": "made_to_grid - solar_to_grid",
    "home_consumed_kwh": "home",
}
_FLOWS = (
    "least(grid_battery, imported, charged) as grid_to_battery, "
    "least(battery_grid, discharged, exported) as battery_to_grid, solar + generator as made",
    "least(made, charged - grid_to_battery) as made_to_battery",
    "least(made - made_to_battery, exported - battery_to_grid) as made_to_grid",
    "least(made - made_to_battery - made_to_grid, home) as made_to_home",
    "least(solar, made_to_home) as solar_to_home, "
    "least(discharged - battery_to_grid, home - made_to_home) as battery_to_home",
    "least(solar - solar_to_home, made_to_battery) as solar_to_battery, "
    "least(imported - grid_to_battery, home - made_to_home - battery_to_home) as grid_to_home",
    "least(solar - solar_to_home - solar_to_battery, made_to_grid) as solar_to_grid",
)
"""Steps of the split, each from those before it."""

_COLUMNS = (
    f"site_id, date, {', '.join(_SUMS)}, "
    "self_consumption_pct, solar_offset_pct, coverage_pct, source"
)
# Postgres would work out a shared expression once for each of its uses, 2.3 times slower.
_FENCE = "offset 0"


def postgres_insert(table: str, start: date, end: date) -> str:
    """The statement that fills `table` with all sites' days.

    Args:
        table: like `energy_daily`.
        start: first date.
        end: the date after the last one.
    """
    samples = f"""select site.id as line, found.*
        from (select id, '{start}'::timestamp at time zone time_zone - interval '10 min' as start,
            '{end}'::timestamp at time zone time_zone + interval '10 min' as "end"
            from energy_sites order by id) as site,
        lateral (select date_part('epoch', timestamp) as t, {_POWER_COLUMNS}
            from energy_states as state where state.site_id = site.id
            and state.timestamp between site.start and site."end"
            and state.timestamp between '{start}'::timestamptz - interval '1 day'
                and '{end}'::timestamptz + interval '1 day'
            order by state.timestamp {_FENCE}) as found"""
    cut = """select *, floor(t / 300) + number as slot
        from stretch cross join (values (0), (1), (2)) as numbers (number)
        where t_next - t <= 600 and (number = 0 or (floor(t / 300) + number) * 300 < t_next)"""
    length = (
        _local_start("date + 1", "min(time_zone)") + " - " + _local_start("date", "min(time_zone)")
    )
    dated = f"""select split.*, line as site_id, time_zone,
            (to_timestamp(slot * 300) at time zone time_zone)::date as date
        from ({_split(_intervals(samples, cut, _above_by_case, _FENCE), _FENCE)}) as split
        join energy_sites on energy_sites.id = line {_FENCE}"""
    return f"""insert into {table} ({_COLUMNS})
        select {_days(f"date_part('epoch', {length})")}
        from ({dated}) as dated where date >= '{start}' and date < '{end}' group by site_id, date"""


def duckdb_select() -> str:
    """The query for the days of `samples` in `days`.

    `samples` has a row for each day's `number`, with arrays of the `timestamp` and powers [W] of
    its samples and the next ones on either side; `days` the `number`, `site_id`, `date`, first
    instant and end of each local day, `start_s` and `end_s` [s]. A site with its days one after
    the other would keep DuckDB to one core, and UUIDs instead of numbers cost it as much again.
    """
    arrays = ", ".join(
        f"unnest({name}) as {name}" for name in ("timestamp", *map("{}_power_w".format, _POWERS))
    )
    samples = f"""select number as line, epoch_us(timestamp) / 1e6 as t, {_POWER_COLUMNS}
        from (select number, {arrays} from samples) as sample"""
    cut = """select *, unnest(range(floor(t / 300)::int, ceil(t_next / 300)::int)) as slot
        from stretch where t_next - t <= 600"""
    dated = f"""select * from ({_split(_intervals(samples, cut, _above, ""), "")}) as split
        join days on days.number = line
        where slot * 300 >= start_s and slot * 300 < end_s"""
    return f"select {_days('min(end_s - start_s)')} from ({dated}) as dated group by site_id, date"


def _local_start(day: str, zone: str) -> str:
    return f"(({day})::timestamp at time zone {zone})"


def _intervals(samples: str, cut: str, above: Callable[[str, str], str], fence: str) -> str:
    """The totals [Wh] of each line's intervals.

    Args:
        samples: a query for `t` [s], powers [W] and the `line` on which they follow each other.
        cut: a query that gives each row of `stretch` once for each `slot` that it touches.
        above: twice the area of a line's part above zero.
        fence: what keeps a subquery from being merged into the one around it.
    """
    following = ", ".join(f"lead({name}) over line as {name}_next" for name in ("t", *_POWERS))
    ends = ", ".join(
        f"{power} + ({power}_next - {power}) * part_{end} as {power}_{end}"
        for power in _POWERS
        for end in ("a", "b")
    )
    levels = (
        "select *, greatest(t, slot * 300e0) as a, least(t_next, slot * 300e0 + 300) as b",
        "select *, (a - t) / (t_next - t) as part_a, (b - t) / (t_next - t) as part_b, "
        "(b - a) / 7200 as half_hours",
        f"select line, slot, half_hours, {ends}",
        "select *, (battery_a + grid_a) * (battery_b + grid_b) < 0 as turns, "
        "least(battery_a, battery_b, grid_a, grid_b) < 0 "
        "and greatest(battery_a, battery_b, grid_a, grid_b) > 0 as has_exchange",
        "select *, case when has_exchange and turns then "
        "(battery_a + grid_a) / (battery_a + grid_a - battery_b - grid_b) end as part",
        "select *, battery_a + (battery_b - battery_a) * part as middle",
    )
    pieces = f"({cut}) as cut"
    for level in levels:
        pieces = f"({level} from {pieces} {fence}) as pieces"
    to_grid = _exchange("least(battery_{0}, -grid_{0})", "middle", above)
    to_battery = _exchange("least(-battery_{0}, grid_{0})", "(-middle)", above)
    sums = {
        "covered_s": "7200",
        **{power: above(f"{power}_a", f"{power}_b") for power in ("solar", "generator")},
        "discharged": above("battery_a", "battery_b"),
        "charged": above("battery_a", "battery_b") + " - (battery_a + battery_b)",
        "imported": above("grid_a", "grid_b"),
        "exported": above("grid_a", "grid_b") + " - (grid_a + grid_b)",
        "home": above("load_a", "load_b"),
        "battery_grid": to_grid,
        "grid_battery": to_battery,
    }
    totals = ", ".join(f"sum(half_hours * ({value})) as {name}" for name, value in sums.items())
    return f"""with sample as ({samples}),
        stretch as (select *, {following}
            from sample window line as (partition by line order by t))
        select line, slot, {totals} from {pieces} group by line, slot"""


def _exchange(lesser: str, middle: str, above: Callable[[str, str], str]) -> str:
    """Twice the area of what one of battery and grid gives and the other takes."""
    first, last = lesser.format("a"), lesser.format("b")
    parted = f"part * {above(first, middle)} + (1 - part) * {above(middle, last)}"
    return (
        f"case when not has_exchange then 0 when turns then {parted} else {above(first, last)} end"
    )


def _above_by_case(a: str, b: str) -> str:
    crossing = f"greatest({a}, {b}) * (greatest({a}, {b}) / abs({a} - {b}))"
    return (
        f"(case when {a} >= 0 and {b} >= 0 then {a} + {b} "
        f"when {a} <= 0 and {b} <= 0 then 0 else {crossing} end)"
    )


def _above(a: str, b: str) -> str:
    height = f"greatest({a}, 0) + greatest({b}, 0)"
    return f"(power({height}, 2) / greatest(abs({a}) + abs({b}), 1e-300))"


def _split(totals: str, fence: str) -> str:
    for flows in _FLOWS:
        totals = f"select *, {flows} from ({totals}) as known {fence}"
    return totals


def _days(length_s: str) -> str:
    sums = ", ".join(f"sum({value}) / 1000 as {name}" for name, value in _SUMS.items())
    return f"""site_id, date, {sums},
        100 * (1 - sum(solar_to_grid) / nullif(sum(solar), 0)) as self_consumption_pct,
        100 * sum(solar_to_home) / nullif(sum(home), 0) as solar_offset_pct,
        100 * sum(covered_s) / {length_s} as coverage_pct, '{LIVE_STATUS}' as source"""
