"""What `charge_energy_added` says of each interval between two readings.

The counter restarts when a plug-in begins to charge, stays after the cable is out, steps down a
little, falls to zero for a moment, is missing or stuck (`fleet_api.md` section 8). Here: the
energy that it shows [kWh], or, where a plug-in has no counter, what the state of charge shows.
"""

import polars as pl

STATIC_KWH = 0.05
"""A counter that nobody counts on moves by no more than this, its coarsest step by rounding."""

NOISE_KWH = 0.3
"""A fall of up to this is the battery management's noise at any reading of the counter."""

RESTARTED_SHARE = 0.5
"""A fall to this share or less is a restart: it begins at zero, noise is of a few percent."""

LARGEST_KWH = 250.0
"""More than any car takes in one plug-in; a wall box's lifetime counter shows thousands."""

FASTEST_KW = 400.0
"""More than any car charges with; what rises faster and falls back was no energy."""

SMALLEST_RISE_PCT = 3
"""State of charge must rise by more, unseen, to prove a charge: a pack that warms recovers some."""

LEAST_GAP = pl.duration(minutes=5)
"""A charge that is proved by the state of charge alone takes time; TeslaMate asks for as much."""

LARGEST_PACK_KWH_PER_PCT = 1.0
"""One percent of the largest usual battery."""


def with_gains(readings: pl.DataFrame, capacities: pl.DataFrame) -> pl.DataFrame:
    """The readings with the energy since the one before, in whichever plug-in it was charged.

    Added: `gain_kwh` (in the reading's own plug-in, or, between two without a cable, in one that
    nobody saw), `tail_kwh` (in the plug-in that this reading closes), `has_counter` (whether the
    plug-in has any), `is_gain` and `is_tail` (whether there is evidence of a charge, also where
    its energy is not known). Null energy is unknown.

    Args:
        readings: as `plug_readings` gives them.
        capacities: `vehicle_id` and `usable_kwh`; may lack vehicles.
    """
    charges = pl.col("is_charging").cast(pl.Int64).cum_sum().over("plug_in")
    readings = readings.with_columns(
        has_charged=charges > 0, has_charged_before=charges > pl.col("is_charging")
    )
    shown = _counted(_plausible(readings))
    own = shown.select(
        "row", "counter", gain_kwh=pl.when("is_tail").then(0.0).otherwise("gain_kwh")
    )
    counted = (
        readings.join(own, on="row", how="left")
        .join(_tails(shown, readings), on="row", how="left")
        .join(capacities.select("vehicle_id", "usable_kwh"), on="vehicle_id", how="left")
        .with_columns(
            pl.col("gain_kwh", "tail_kwh").fill_null(0.0),
            (pl.col("counter").is_not_null() & pl.col("is_plugged"))
            .any()
            .over("plug_in")
            .alias("has_counter"),
            previous_level=pl.col("battery_level").shift().over("vehicle_id"),
            gap=pl.col("timestamp") - pl.col("timestamp").shift().over("vehicle_id"),
        )
        .sort("row")
    )
    return _with_lost_start(_with_state_of_charge(counted))


def _plausible(readings: pl.DataFrame) -> pl.DataFrame:
    """The readings that have a counter, without glitches; `counter` [kWh].

    A counter stays after the cable is out: zero then is no value, unless it was zero before.
    """
    given = pl.col("charge_energy_added")
    told = pl.when(given.is_between(0, LARGEST_KWH) & (pl.col("is_plugged") | (given > 0)))
    before = told.then(given).forward_fill().shift().over("vehicle_id")
    is_zero_unplugged = ~pl.col("is_plugged") & (given == 0) & (before > 0).fill_null(False)
    kept = readings.with_columns(
        counter=pl.when(given.is_between(0, LARGEST_KWH) & ~is_zero_unplugged).then(given)
    ).filter(pl.col("counter").is_not_null())
    counter = pl.col("counter")
    before, after = (counter.shift(n).over("plug_in") for n in (1, -1))
    hours = (pl.col("timestamp") - pl.col("timestamp").shift().over("plug_in")).dt.total_seconds(
        fractional=True
    ) / 3600
    is_spike = (
        (counter - before > FASTEST_KW * hours + 1)
        & (after >= before - NOISE_KWH)
        & (after <= RESTARTED_SHARE * counter)
    )
    kept = kept.filter(~is_spike.fill_null(False))
    lit = {name: pl.when(counter > 0).then(pl.col(name)) for name in ("counter", "battery_level")}
    last = {name: value.forward_fill().over("plug_in") for name, value in lit.items()}
    following = {name: value.backward_fill().over("plug_in") for name, value in lit.items()}
    proved_kwh = (following["battery_level"] - last["battery_level"]) * LARGEST_PACK_KWH_PER_PCT
    is_zero_glitch = (
        (counter == 0)
        & (last["counter"] > NOISE_KWH)
        & (following["counter"] >= last["counter"] - NOISE_KWH)
        & ~(proved_kwh >= following["counter"] / 2).fill_null(False)
    )
    return kept.filter(~is_zero_glitch.fill_null(False))


def _counted(kept: pl.DataFrame) -> pl.DataFrame:
    """`row`, `plug_in`, `counter` and the energy since the counter before [kWh].

    `gain_kwh` is the row's own plug-in's, or, if `is_tail`, that of the one which has ended;
    `late_kwh` is that of `previous_plug_in`.
    """
    counter, change = pl.col("counter"), pl.col("change")
    enters, is_changed = pl.col("enters"), pl.col("is_changed").fill_null(False) & ~pl.col("enters")
    # From zero a restart is no news, and slow charging no change from one minute to the next.
    is_left_over = (
        enters & (pl.col("entry_kwh") == 0) & change.is_not_null() & (counter > STATIC_KWH)
    )
    is_first_change = is_changed & (is_changed.cast(pl.Int64).cum_sum().over("plug_in") == 1)
    is_restart = (
        ~enters
        & ~pl.col("is_outside")
        & (pl.col("is_halved") | (is_first_change & is_left_over.any().over("plug_in")))
    )
    # A counter that nobody counts on may be trusted to a hair where the state of charge rose, too.
    has_risen = pl.col("battery_level") > pl.col("previous_battery_level")
    outside_kwh = pl.when(has_risen).then(STATIC_KWH).otherwise(NOISE_KWH)
    run = ["plug_in", "run"]
    return (
        _entered(kept)
        .with_columns(is_restart=is_restart.fill_null(False))
        .with_columns(run=pl.col("is_restart").cum_sum().over("plug_in"))
        .with_columns(rise=counter.cum_max().over(run) - counter.cum_max().shift().over(run))
        .with_columns(
            gain_kwh=pl.when(enters)
            .then("entry_kwh")
            .when("is_outside")
            .then(pl.when(change.abs() > outside_kwh).then(counter).otherwise(0.0))
            .when("is_restart")
            .then(counter)
            .otherwise(pl.col("rise").fill_null(0.0)),
            is_tail=~pl.col("is_plugged") & ~pl.col("is_outside"),
        )
        .select("row", "plug_in", "counter", "gain_kwh", "late_kwh", "is_tail", "previous_plug_in")
    )


def _entered(kept: pl.DataFrame) -> pl.DataFrame:
    """What the counter at the beginning of each plug-in belongs to.

    A counter that has changed since before the plug-in (`is_changed`) restarted at it: all it
    shows is this plug-in's (`entry_kwh`). If the car was last seen on another plug, and the counter
    has not restarted on this one yet, what it rose by is that one's (`late_kwh`). `is_outside`
    readings lie between two plug-ins, so that any change is one's that nobody saw.
    """
    counter, change = pl.col("counter"), pl.col("counter") - pl.col("previous_counter")
    is_halved = _is_halved(counter, pl.col("previous_counter"))
    noise_kwh = pl.when("has_charged").then(STATIC_KWH).otherwise(NOISE_KWH)
    is_outside = (
        ~pl.col("enters")
        & ~pl.col("is_plugged")
        & (~pl.col("previous_is_plugged") | (pl.col("is_driven") & is_halved))
    )
    following = counter.shift(-1).over("plug_in")
    is_left_over = ~pl.col("has_charged") | _is_halved(following, counter).fill_null(False)
    is_late = (
        pl.col("enters") & pl.col("previous_is_plugged") & (change > 0) & is_left_over
    ).fill_null(False)
    # Without a reading before, a charge that is under way or complete is taken as this one's.
    is_own = pl.col("has_charged") | (pl.col("is_first") & (pl.col("charging_state") == "Complete"))
    is_entry = (
        pl.when(change.is_null())
        .then(is_own & pl.col("is_plugged"))
        .otherwise((change.abs() > noise_kwh) & ~is_late)
    )
    previous = ("counter", "battery_level", "plug_in", "is_plugged")
    return (
        kept.with_columns(
            pl.col(name).shift().over("vehicle_id").alias(f"previous_{name}") for name in previous
        )
        .with_columns(enters=pl.col("plug_in").ne_missing(pl.col("previous_plug_in")))
        .with_columns(
            change=change,
            is_changed=change.abs() > noise_kwh,
            is_halved=is_halved,
            is_outside=is_outside.fill_null(False),
            late_kwh=pl.when(is_late).then(change).otherwise(0.0),
            entry_kwh=pl.when(is_entry & pl.col("enters")).then(counter).otherwise(0.0),
        )
    )


def _is_halved(counter: pl.Expr, before: pl.Expr) -> pl.Expr:
    """Whether a counter fell so far that it restarted."""
    return (counter - before < -NOISE_KWH) & (counter <= RESTARTED_SHARE * before)


def _tails(shown: pl.DataFrame, readings: pl.DataFrame) -> pl.DataFrame:
    """`row` of the readings that close a plug-in, with `tail_kwh`."""
    closing = readings.select(
        tail_row=pl.when("closes").then("row"),
        closed=pl.col("plug_in").shift(),
    ).filter(pl.col("tail_row").is_not_null())
    after = shown.filter(pl.col("is_tail")).select(closed="plug_in", kwh="gain_kwh")
    late = shown.filter(pl.col("late_kwh") > 0).select(closed="previous_plug_in", kwh="late_kwh")
    return (
        pl.concat([after, late])
        .join(closing, on="closed")
        .group_by(row="tail_row")
        .agg(tail_kwh=pl.col("kwh").sum())
    )


def _with_state_of_charge(counted: pl.DataFrame) -> pl.DataFrame:
    """What the state of charge shows of plug-ins without a counter and of unseen ones."""
    level, since = pl.col("battery_level"), pl.col("previous_level")
    highest = pl.when("is_plugged").then(level).cum_max().over("plug_in")
    jump = pl.when(~pl.col("is_driven") & (level - since > SMALLEST_RISE_PCT)).then(level - since)
    is_unseen = (
        ~pl.col("is_plugged")
        & ~pl.col("closes")
        & (pl.col("gap") >= LEAST_GAP)
        & (pl.col("gain_kwh") == 0)
    )
    rise = (
        pl.when(pl.col("opens") & ~pl.col("has_counter"))
        .then(jump)
        .when(pl.col("is_plugged") & ~pl.col("has_counter"))
        .then(highest - highest.shift().over("plug_in"))
        .when(is_unseen)
        .then(jump)
        .fill_null(0)
    )
    closed_had_counter = pl.col("has_counter").shift().over("vehicle_id")
    tail_rise = pl.when(pl.col("closes") & ~closed_had_counter).then(jump).fill_null(0)
    per_pct = pl.col("usable_kwh") / 100
    return (
        counted.with_columns(rise_pct=rise, tail_pct=tail_rise)
        .with_columns(
            gain_kwh=pl.when(
                (pl.col("is_plugged") & ~pl.col("has_counter")) | (pl.col("rise_pct") > 0)
            )
            .then(pl.col("rise_pct") * per_pct)
            .otherwise("gain_kwh"),
            tail_kwh=pl.when(pl.col("closes") & ~closed_had_counter)
            .then(pl.col("tail_pct") * per_pct)
            .otherwise("tail_kwh"),
        )
        .with_columns(
            is_gain=(pl.col("gain_kwh") > 0).fill_null(False)
            & (pl.col("has_counter") | ~pl.col("is_plugged"))
            | (pl.col("rise_pct") > SMALLEST_RISE_PCT),
            is_tail=(pl.col("tail_kwh") > 0).fill_null(False) | (pl.col("tail_pct") > 0),
        )
    )


def _with_lost_start(counted: pl.DataFrame) -> pl.DataFrame:
    """Adds what a counter that was stuck at zero never counted, where capacity is known.

    TeslaMate's issue 4243 has one that began to count after 37 minutes. If it counts less than
    half of what the state of charge says up to its first step, the difference is added there.
    """
    is_start = pl.col("is_charging") & ~pl.col("has_charged_before")
    is_step = pl.col("is_plugged") & pl.col("has_charged_before") & (pl.col("gain_kwh") > 0)
    step_row = pl.when(is_step).then("row").min().over("plug_in")
    last_row = pl.when("is_charging").then("row").max().over("plug_in")
    level_at_start = pl.when(is_start).then("battery_level").max().over("plug_in")
    due_kwh = (pl.col("battery_level") - level_at_start) * pl.col("usable_kwh") / 100
    lost_kwh = due_kwh - pl.col("gain_kwh")
    is_lost = (
        pl.col("has_counter")
        & (pl.col("row") == pl.coalesce(step_row, last_row))
        & (pl.col("gain_kwh") < due_kwh / 2)
        & (lost_kwh > SMALLEST_RISE_PCT * pl.col("usable_kwh") / 100)
    ).fill_null(False)
    return counted.with_columns(
        gain_kwh=pl.when(is_lost).then(due_kwh).otherwise("gain_kwh"),
        is_estimated=(is_lost | ~pl.col("has_counter") | (pl.col("rise_pct") > 0)),
    )
