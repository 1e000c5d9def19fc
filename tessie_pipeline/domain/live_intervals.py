"""Five-minute energies from `live_status` samples: the area under the lines between them.

Between neighbouring samples power is taken to change in a straight line. Each such stretch is cut
where five minutes end, and what is above and below zero is measured apart, so that import and
export within an interval are both kept. Not here: which source counts, days.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta

import polars as pl

from tessie_pipeline.domain.flows import INTERVAL_US
from tessie_pipeline.domain.power_flows import home_by_balance, split_flows
from tessie_pipeline.domain.sample_lines import twice_above_zero
from tessie_pipeline.domain.samples import ENERGY_INTERVALS, UTC_TIME

LIVE_STATUS = "live_status"
"""`source` of the intervals that come from samples."""

LONGEST_GAP = timedelta(minutes=10)
"""Further apart, samples say too little to count as coverage, and Tesla's history is to be asked.

Flows of simulated days from samples 1, 5, 10 and 15 minutes apart were off by up to 1, 4, 10 and
30 %; clouds and kettles last minutes.
"""

_BATTERY, _GRID, _SOC = "battery_power_w", "grid_power_w", "battery_percentage"
_TOTALS = {
    "solar_wh": ("solar_power_w", 1),
    "generator_wh": ("generator_power_w", 1),
    "battery_discharged_wh": (_BATTERY, 1),
    "battery_charged_wh": (_BATTERY, -1),
    "grid_imported_wh": (_GRID, 1),
    "grid_exported_wh": (_GRID, -1),
    "home_wh": ("load_power_w", 1),
}
"""Each total's power, and the sign of the part of it that counts."""
_LINE_OF = {
    "solar_wh": "solar_power_w",
    "generator_wh": "generator_power_w",
    "home_wh": "load_power_w",
    "soc_pct": _SOC,
}
"""What is told by a line alone, on one side of zero only."""
_NEEDED = ("solar_power_w", _BATTERY, _GRID)
"""The powers without which no flow is known; the home's is what balances them."""


def intervals_from_samples(
    samples: pl.DataFrame, longest_gap: timedelta = LONGEST_GAP
) -> pl.DataFrame:
    """The samples' energies as `ENERGY_INTERVALS`: a row where any of the five minutes is covered.

    Between samples further apart than `longest_gap` there is neither energy nor coverage, and
    beside a sample that does not say what solar, battery and grid gave there is no coverage. A
    total is that of the covered time, and null where some sample of it does not say that power;
    the home's is then what balances the others. Of an interval without any coverage totals are
    what its samples do say. Small negative solar power counts as none. What passed between battery
    and grid is measured as power changed, so flows add up like totals. The state of charge is the
    one at the interval's end, or the last one known in it.

    The intervals of a window need its samples and the next one on either side. The order of
    samples, and one that comes twice, change nothing.

    Args:
        samples: `ENERGY_STATES`, of which only powers are needed, and `battery_percentage` for the
            state of charge. Stale ones, which came late, count like any other.
        longest_gap: up to which two samples are taken to be joined by a straight line.
    """
    if samples.is_empty():
        return ENERGY_INTERVALS.to_frame()
    if _SOC not in samples.columns:
        samples = samples.with_columns(pl.lit(None, pl.Float64).alias(_SOC))
    flat = _flat(samples)
    lines = [_BATTERY, _GRID, *(line for line in _LINE_OF.values() if line not in flat)]
    sites = samples["site_id"].unique().sort()
    first_slot, slots = _slots(samples, longest_gap)
    lacks_power = any(samples[line].null_count() for line in _NEEDED)
    samples = samples.select("site_id", "timestamp", *lines)
    stretches = _stretches(samples, sites, slots * INTERVAL_US, longest_gap)
    number = pl.col("slot") - first_slot
    totals = (
        (_known_first(stretches, lines) if lacks_power else _added_up(stretches, lines))
        .sort("slot")
        .with_columns(
            pl.lit(flat[line], pl.Float64).alias(name)
            for name, line in _LINE_OF.items()
            if line in flat
        )
        .with_columns(
            site_id=pl.lit(sites).gather(number // slots),
            timestamp=((first_slot + number % slots) * INTERVAL_US).cast(UTC_TIME),
            home_wh=pl.coalesce("home_wh", home_by_balance()),
            source=pl.lit(LIVE_STATUS),
        )
    )
    return split_flows(totals, has_exchanges=True).select(ENERGY_INTERVALS.names())


def _known_first(stretches: pl.DataFrame, lines: list[str]) -> pl.DataFrame:
    """As `_added_up`, of the stretches that tell all that is needed; of the others elsewhere."""
    ends = (end(line) for line in _NEEDED if line in lines for end in (_from, _next))
    untold = stretches.filter(pl.any_horizontal(end.is_nan() for end in ends))
    told = _added_up(stretches.join(untold, on="start", how="anti"), lines)
    others = _added_up(untold, lines).join(told, on="slot", how="anti")
    return pl.concat([told, others.with_columns(coverage=0.0)])


def _added_up(stretches: pl.DataFrame, lines: list[str]) -> pl.DataFrame:
    """The energies [Wh] in each `slot` of the stretches, and how much of it they cover."""
    return (
        _energies(_pieces(stretches, lines), lines)
        .group_by("slot")
        .agg(
            # Polars adds a group up in varying order; nine digits are the same each time.
            pl.col("^.*_wh$").sum().fill_nan(None).clip(0).round(9),
            # A pattern, since a flat line has no column.
            pl.col("^soc_pct$").last(ignore_nulls=True).round(9),
            coverage=(pl.col("length_us").sum() * (1 / INTERVAL_US)).round(9),
        )
        .collect()
    )


def _flat(samples: pl.DataFrame) -> dict[str, float | None]:
    """The lines of `_LINE_OF` of which no sample says anything, or all say zero, and which it is.

    What they tell is the same, and takes no areas. A line that is needed is none that says nothing:
    it tells where nothing is covered.
    """
    lines = samples.select(_LINE_OF.values()).get_columns()
    silent = (line.name for line in lines if line.null_count() == line.len())
    unknown = {name: None for name in silent if name not in _NEEDED}
    zero = {line.name: 0.0 for line in lines if not line.null_count() and (line == 0).all()}
    return unknown | zero


def _slots(samples: pl.DataFrame, longest_gap: timedelta) -> tuple[int, int]:
    """The number of the samples' first interval since the epoch, and how many a site is given.

    They reach further than the last sample by more than `longest_gap`.
    """
    time = pl.col("timestamp")
    ends = samples.select(first=time.min(), last=time.max() + longest_gap)
    first, last = ends.select(pl.all().to_physical() // INTERVAL_US).row(0)
    return first, last - first + 1


def _stretches(
    samples: pl.DataFrame, sites: pl.Series, apart_us: int, longest_gap: timedelta
) -> pl.DataFrame:
    """Each sample with the site's next one, where that comes in time: `start`, `end` [us].

    One integer stands for site and time: the sites follow each other on one line of time, each
    `apart_us` after the one before it. An unknown power is NaN, and so is all that it enters.
    """
    number = pl.col("site_id").cast(pl.Enum(sites)).to_physical().cast(pl.Int64)
    length_us = pl.col("end") - pl.col("start")
    return (
        samples.select(
            pl.exclude("site_id", "timestamp", _SOC).fill_null(float("nan")),
            pl.col(f"^{_SOC}$"),
            start=number * apart_us + pl.col("timestamp").to_physical(),
        )
        .sort("start")
        .with_columns(
            pl.exclude("start").shift(-1).name.suffix("_next"), end=pl.col("start").shift(-1)
        )
        .filter((length_us > 0) & (length_us <= longest_gap // timedelta(microseconds=1)))
    )


def _pieces(stretches: pl.DataFrame, lines: list[str]) -> pl.DataFrame:
    """The stretches cut where intervals end, with the powers at either end of each piece.

    `slot` numbers the intervals. The pieces of one are in the order of time.
    """
    rounds = [_first_pieces(stretches, lines)]
    while (rest := _rest(rounds[-1], lines)).height:
        rounds.append(_first_pieces(rest, lines))
    # What is left of a stretch begins where an interval does, before all that begin in it.
    return pl.concat(reversed(rounds))


def _first_pieces(stretches: pl.DataFrame, lines: list[str]) -> pl.DataFrame:
    """The stretches with `stop` [us], where their first interval ends or they do."""
    start, slot = pl.col("start"), pl.col("start") // INTERVAL_US
    part = (pl.col("stop") - start) / (pl.col("end") - start)
    return (
        stretches.lazy()
        .with_columns(slot=slot, stop=pl.min_horizontal((slot + 1) * INTERVAL_US, "end"))
        .with_columns(
            *(_between(_from(name), _next(name), part).alias(f"{name}_to") for name in lines),
            length_us=pl.col("stop") - start,
        )
        .collect()
    )


def _rest(pieces: pl.DataFrame, lines: list[str]) -> pl.DataFrame:
    """What is left of the stretches behind their first pieces."""
    return (
        pieces.lazy()
        .filter(pl.col("stop") < pl.col("end"))
        .with_columns(*(_to(name).alias(name) for name in lines), start="stop")
        .collect()
    )


def _energies(pieces: pl.DataFrame, lines: list[str]) -> pl.LazyFrame:
    """What the pieces hold [Wh], and what was exchanged in those that had to be parted for it."""
    powers = [line for line in lines if line != _SOC]
    totals = {total: of for total, of in _TOTALS.items() if of[0] in powers}
    soc = [pl.coalesce(_to(_SOC), _from(_SOC)).alias("soc_pct")] if _SOC in lines else []
    energies = _measured(pieces.lazy(), powers).select(
        "slot",
        "length_us",
        *(_energy_wh(power, sign).alias(total) for total, (power, sign) in totals.items()),
        *_exchanged_wh(),
        *soc,
    )
    parted = _measured(_parted_where_level(pieces), (_BATTERY, _GRID))
    return pl.concat([energies, parted.select("slot", *_exchanged_wh())], how="diagonal")


def _measured(pieces: pl.LazyFrame, powers: Iterable[str]) -> pl.LazyFrame:
    """The pieces with what their energies share: twice the areas above zero, and the `_lead`s.

    A column each, since Polars works out an expression again for most of its uses.
    """
    together = twice_above_zero(_from(_BATTERY) + _from(_GRID), _to(_BATTERY) + _to(_GRID))
    return pieces.with_columns(
        *(twice_above_zero(_from(name), _to(name)).alias(f"{name}_above") for name in powers),
        above_together=together,
        lead=_lead(_from),
        lead_to=_lead(_to),
        half_hours=pl.col("length_us") / 7_200_000_000,
    )


def _energy_wh(power: str, sign: int) -> pl.Expr:
    """What a measured piece holds on one side of zero [Wh]."""
    above = pl.col(f"{power}_above")
    return (above if sign > 0 else above - (_from(power) + _to(power))) * pl.col("half_hours")


def _exchanged_wh() -> list[pl.Expr]:
    """What passed between battery and grid in a measured piece [Wh], as `EXCHANGES_WH`.

    What one takes from the other is in what each gives, but not in what both give together. The
    one with the greater power gave it; where that changes within the piece, neither is told.
    """
    alone = (pl.col(f"{name}_above") for name in (_BATTERY, _GRID))
    exchanged = sum(alone, -pl.col("above_together")) * pl.col("half_hours")
    first, last = pl.col("lead"), pl.col("lead_to")
    given = {
        "grid_to_battery_wh": (first <= 0) & (last <= 0),
        "battery_to_grid_wh": (first >= 0) & (last >= 0),
    }
    return [pl.when(is_so).then(exchanged).otherwise(0.0).alias(to) for to, is_so in given.items()]


def _parted_where_level(pieces: pl.DataFrame) -> pl.LazyFrame:
    """Both parts of the pieces in which the powers of battery and grid cross."""
    first, last = _lead(_from), _lead(_to)
    ends = (end(name) for name in (_BATTERY, _GRID) for end in (_from, _to))
    crossing = (
        pieces.lazy()
        .filter(first * last < 0)
        .select("slot", "length_us", *ends, part=first / (first - last))
        .collect()
    )
    part, length_us = pl.col("part"), pl.col("length_us")
    level = _between(_from(_BATTERY), _to(_BATTERY), part)
    before = crossing.with_columns(
        *(level.alias(f"{name}_to") for name in (_BATTERY, _GRID)), length_us=part * length_us
    )
    after = crossing.with_columns(
        *(level.alias(name) for name in (_BATTERY, _GRID)), length_us=(1 - part) * length_us
    )
    return pl.concat([before, after]).lazy()


def _lead(end: Callable[[str], pl.Expr]) -> pl.Expr:
    """How much more the battery gives than the grid at one end of a piece [W]."""
    return end(_BATTERY) - end(_GRID)


def _from(name: str) -> pl.Expr:
    return pl.col(name)


def _to(name: str) -> pl.Expr:
    return pl.col(f"{name}_to")


def _next(name: str) -> pl.Expr:
    return pl.col(f"{name}_next")


def _between(first: pl.Expr, last: pl.Expr, part: pl.Expr) -> pl.Expr:
    return first + (last - first) * part
