"""Five-minute energies from `live_status` samples: the area under the lines between them.

Between neighbouring samples power is taken to change in a straight line. Each such stretch is cut
where five minutes end, and what is above and below zero is measured apart, so that import and
export within an interval are both kept. Not here: which source counts, days.
"""

from datetime import timedelta

import polars as pl

from tessie_pipeline.domain.flows import INTERVAL_US
from tessie_pipeline.domain.power_flows import EXCHANGES_WH, home_by_balance, split_flows
from tessie_pipeline.domain.samples import ENERGY_INTERVALS, UTC_TIME

LIVE_STATUS = "live_status"
"""`source` of the intervals that come from samples."""

LONGEST_GAP = timedelta(minutes=10)
"""Further apart, samples say too little to count as coverage, and Tesla's history is to be asked.

Flows of simulated days from samples 1, 5, 10 and 15 minutes apart were off by up to 1, 4, 10 and
30 %; clouds and kettles last minutes.
"""

_HOURS = pl.col("length_us") / 3_600_000_000
_LEAST_W = 1e-300
_SOC = "battery_percentage"
_TOTALS = {
    "solar_wh": ("solar_power_w", 1),
    "generator_wh": ("generator_power_w", 1),
    "battery_discharged_wh": ("battery_power_w", 1),
    "battery_charged_wh": ("battery_power_w", -1),
    "grid_imported_wh": ("grid_power_w", 1),
    "grid_exported_wh": ("grid_power_w", -1),
    "home_wh": ("load_power_w", 1),
}
"""Each total's power, and the sign of the part of it that counts."""
_LINES = (*dict.fromkeys(power for power, _ in _TOTALS.values()), _SOC)


def intervals_from_samples(
    samples: pl.DataFrame, longest_gap: timedelta = LONGEST_GAP
) -> pl.DataFrame:
    """The samples' energies as `ENERGY_INTERVALS`: a row where any of the five minutes is covered.

    Between samples further apart than `longest_gap` there is neither energy nor coverage. A total
    is that of the covered time, and null where some sample of it does not say that power; the
    home's is then what balances the others. Small negative solar power counts as none. What
    passed between battery and grid is measured as power changed, so flows add up like totals.
    The state of charge is the one at the interval's end, or the last one known in it.

    The intervals of a window need its samples and the next one on either side. The order of
    samples, and one that comes twice, change nothing.

    Args:
        samples: `ENERGY_STATES`, of which only powers and `battery_percentage` are needed. Stale
            ones, which came late, count like any other.
        longest_gap: up to which two samples are taken to be joined by a straight line.
    """
    totals = (
        _pieces(_stretches(samples.lazy(), longest_gap))
        .select(
            "site_id",
            "slot",
            "length_us",
            *(_energy_wh(power, sign).alias(total) for total, (power, sign) in _TOTALS.items()),
            _exchanged_wh(-1).alias("grid_to_battery_wh"),
            _exchanged_wh(1).alias("battery_to_grid_wh"),
            soc_pct=pl.coalesce(_to(_SOC), pl.col(_SOC)),
        )
        .group_by("site_id", "slot", maintain_order=True)
        .agg(
            # Polars adds a group up in varying order; nine digits are the same each time.
            pl.col(*_TOTALS, *EXCHANGES_WH).sum().fill_nan(None).clip(0).round(9),
            pl.col("soc_pct").last(ignore_nulls=True).round(9),
            coverage=(pl.col("length_us").sum() * (1 / INTERVAL_US)).round(9),
        )
        .with_columns(
            timestamp=(pl.col("slot") * INTERVAL_US).cast(UTC_TIME),
            home_wh=pl.coalesce("home_wh", home_by_balance()),
            source=pl.lit(LIVE_STATUS),
        )
    )
    return split_flows(totals.collect(), has_exchanges=True).select(ENERGY_INTERVALS.names())


def _stretches(samples: pl.LazyFrame, longest_gap: timedelta) -> pl.LazyFrame:
    """Each sample with the site's next one, where that comes in time: `start`, `end` [us]."""
    time = pl.col("timestamp").to_physical()
    length = pl.col("end") - pl.col("start")
    return (
        samples.select("site_id", "timestamp", *_LINES)
        .sort("site_id", "timestamp")
        .with_columns(
            *(pl.col(name).shift(-1).alias(f"{name}_next") for name in _LINES),
            next_site=pl.col("site_id").shift(-1),
            start=time,
            end=time.shift(-1),
        )
        .filter(pl.col("site_id") == pl.col("next_site"))
        .filter((length > 0) & (length <= longest_gap // timedelta(microseconds=1)))
    )


def _pieces(stretches: pl.LazyFrame) -> pl.LazyFrame:
    """The stretches cut where intervals end, with the powers at either end of each piece.

    `slot` numbers intervals from the epoch on.
    """
    first, last = pl.col("start") // INTERVAL_US, (pl.col("end") - 1) // INTERVAL_US
    start, end, slot = pl.col("start"), pl.col("end"), pl.col("slot")
    begins = pl.max_horizontal(start, slot * INTERVAL_US)
    stops = pl.min_horizontal(end, (slot + 1) * INTERVAL_US)
    return (
        stretches.with_columns(slot=pl.int_ranges(first, last + 1))
        .explode("slot")
        .with_columns(
            length_us=stops - begins,
            before=(begins - start) / (end - start),
            until=(stops - start) / (end - start),
        )
        .with_columns(
            expression
            for name in _LINES
            for expression in (
                _between(name, pl.col("before")).alias(f"{name}_from"),
                _between(name, pl.col("until")).alias(f"{name}_to"),
            )
        )
    )


def _between(name: str, part: pl.Expr) -> pl.Expr:
    return pl.col(name) + (pl.col(f"{name}_next") - pl.col(name)) * part


def _from(name: str) -> pl.Expr:
    return pl.col(f"{name}_from")


def _to(name: str) -> pl.Expr:
    return pl.col(f"{name}_to")


def _energy_wh(power: str, sign: int) -> pl.Expr:
    """What a piece holds on one side of zero [Wh], NaN where that is unknown."""
    area = _above_zero(sign * _from(power), sign * _to(power))
    return (area * _HOURS).fill_null(float("nan"))


def _exchanged_wh(sign: int) -> pl.Expr:
    """What passed from the battery to the grid (1) or from the grid to the battery (-1) [Wh].

    At any time it is the lesser of what one gives and the other takes. Which one that is changes
    where both are equal, at most once in a piece.
    """
    battery, grid = "battery_power_w", "grid_power_w"
    first_w, last_w = _from(battery) + _from(grid), _to(battery) + _to(grid)
    turns = first_w * last_w < 0
    part = pl.when(turns).then(first_w / (first_w - last_w)).otherwise(1)
    first = pl.min_horizontal(sign * _from(battery), -sign * _from(grid))
    last = pl.min_horizontal(sign * _to(battery), -sign * _to(grid))
    turn = pl.when(turns).then(sign * (_from(battery) + (_to(battery) - _from(battery)) * part))
    middle = pl.coalesce(turn, last)
    area = part * _above_zero(first, middle) + (1 - part) * _above_zero(middle, last)
    return area * _HOURS


def _above_zero(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """The area of a line's part above zero over a width of 1.

    From a to -b, that is the trapezoid of a and 0 less a b / (2 (a + b)).
    """
    trapezoid = (first.clip(0) + last.clip(0)) / 2
    below = (first * last).clip(upper_bound=0) / (2 * (last - first).abs().clip(_LEAST_W))
    return trapezoid + below
