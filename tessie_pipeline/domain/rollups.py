"""What hours and days keep of samples: which figures of which columns, and how far samples reach.

One declaration, from which the rollups are computed (`downsample`), their tables are made
(`store/tables/rollups.py`) and compared with the samples. Not here: computing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import polars as pl

from tessie_pipeline.domain.samples import ENERGY_STATES, UTC_TIME, VEHICLE_STATES

Statistic = Literal["min", "mean", "max", "first", "last", "above", "below", "while_true", "seen"]
"""How a figure is made of a column's samples.

`mean` is weighted with time, `above` and `below` are the areas of the line between the samples
above and below zero times hours, both >= 0, `while_true` is in seconds, `seen` are the texts that
occurred, sorted and joined by +. The others are as they say, of those that are known.
"""

ADDITIVE: tuple[Statistic, ...] = ("above", "below", "while_true")
"""The statistics that add up over parts of time."""


@dataclass(frozen=True)
class Measure:
    """A figure of an hour or day.

    Attributes:
        name: of the figure, with its unit.
        column: of the samples.
        statistic: how it is made of them.
        comment: what it is, its unit and sign.
    """

    name: str
    column: str
    statistic: Statistic
    comment: str


@dataclass(frozen=True)
class Series:
    """A time series of samples, and what its hours and days keep of them.

    Attributes:
        name: the table of the samples.
        subject: the column that tells whose they are.
        samples: the schema of the samples.
        longest_gap: up to which a sample says what was until the next one.
        measures: the figures.
    """

    name: str
    subject: str
    samples: pl.Schema
    longest_gap: timedelta
    measures: Sequence[Measure]

    @property
    def hourly(self) -> str:
        """The table of its hours."""
        return f"{self.name}_hourly"

    @property
    def daily(self) -> str:
        """The table of its days."""
        return f"{self.name}_daily"

    @property
    def schema(self) -> pl.Schema:
        """A row per subject and hour or day: stamped with its start, counted, and the figures.

        `sample_count` may be 0 where only the line between two samples reaches into it;
        `covered_s` is the time [s] that samples say something about, `first_at` and `last_at` are
        those of its samples.
        """
        return pl.Schema(
            {
                self.subject: pl.String(),
                "timestamp": UTC_TIME,
                "sample_count": pl.Int32(),
                "covered_s": pl.Float64(),
                "first_at": UTC_TIME,
                "last_at": UTC_TIME,
                **{measure.name: self._kind(measure) for measure in self.measures},
            }
        )

    def measures_of(self, *statistics: Statistic) -> list[Measure]:
        """The measures of these statistics."""
        return [measure for measure in self.measures if measure.statistic in statistics]

    def columns_of(self, *statistics: Statistic) -> list[str]:
        """The columns of the samples that these statistics are of, each once."""
        return list(dict.fromkeys(measure.column for measure in self.measures_of(*statistics)))

    def _kind(self, measure: Measure) -> pl.DataType:
        is_text = self.samples[measure.column] == pl.String()
        return pl.String() if is_text else pl.Float64()


def _range(column: str, stem: str, unit: str, what: str) -> list[Measure]:
    """Its smallest, mean and largest value."""
    words: dict[Statistic, str] = {"min": "Lowest", "mean": "Mean", "max": "Highest"}
    return [
        Measure(f"{stem}_{statistic}_{unit}", column, statistic, f"{word} {what}")
        for statistic, word in words.items()
    ]


def _ends(column: str, stem: str, unit: str, what: str) -> list[Measure]:
    """Its first and last value."""
    words: dict[Statistic, str] = {"first": "First", "last": "Last"}
    return [
        Measure(f"{stem}_{statistic}_{unit}", column, statistic, f"{word} {what}")
        for statistic, word in words.items()
    ]


ENERGY_SERIES = Series(
    "energy_states",
    "site_id",
    ENERGY_STATES,
    timedelta(minutes=10),
    [
        *_range("solar_power_w", "solar_power", "w", "solar power, W; >= 0 produces."),
        *_range("battery_power_w", "battery_power", "w", "battery power, W; > 0 discharges."),
        *_range("grid_power_w", "grid_power", "w", "grid power, W; > 0 imports."),
        *_range("load_power_w", "load_power", "w", "home power, W; > 0 consumes."),
        *_range("generator_power_w", "generator_power", "w", "generator power, W; >= 0."),
        *_range("battery_percentage", "battery_percentage", "pct", "state of charge, %."),
        *_ends("battery_percentage", "battery_percentage", "pct", "state of charge, %."),
        *_ends("energy_left_wh", "energy_left", "wh", "energy in the batteries, Wh."),
        Measure("total_pack_energy_last_wh", "total_pack_energy_wh", "last",
                "Last energy of full batteries, Wh."),
        Measure("solar_wh", "solar_power_w", "above", "Solar energy produced, Wh; >= 0."),
        Measure("battery_discharged_wh", "battery_power_w", "above",
                "Energy out of the batteries, Wh; >= 0."),
        Measure("battery_charged_wh", "battery_power_w", "below",
                "Energy into the batteries, Wh; >= 0."),
        Measure("grid_imported_wh", "grid_power_w", "above", "Energy from the grid, Wh; >= 0."),
        Measure("grid_exported_wh", "grid_power_w", "below", "Energy into the grid, Wh; >= 0."),
        Measure("load_wh", "load_power_w", "above", "Energy used at home, Wh; >= 0."),
        Measure("generator_wh", "generator_power_w", "above", "Generator energy, Wh; >= 0."),
        Measure("grid_statuses", "grid_status", "seen", "Grid states seen, joined by +."),
        Measure("island_statuses", "island_status", "seen", "Island states seen, joined by +."),
    ],
)  # fmt: skip

_LEAST_AND_LAST: dict[Statistic, str] = {"min": "Lowest", "last": "Last"}
_TYRES = {"fl": "front left", "fr": "front right", "rl": "rear left", "rr": "rear right"}

VEHICLE_SERIES = Series(
    "vehicle_states",
    "vehicle_id",
    VEHICLE_STATES,
    timedelta(minutes=15),
    [
        *_range("battery_level", "battery_level", "pct", "state of charge, %."),
        *_ends("battery_level", "battery_level", "pct", "state of charge, %."),
        Measure("usable_battery_level_last_pct", "usable_battery_level", "last",
                "Last state of charge usable then, %."),
        *_ends("battery_range", "battery_range", "mi", "rated range, miles."),
        *_ends("odometer", "odometer", "mi", "odometer, miles."),
        Measure("speed_mean_mph", "speed", "mean", "Mean speed, mph."),
        Measure("speed_max_mph", "speed", "max", "Highest speed, mph."),
        *_range("power", "power", "kw", "drive power, kW; > 0 drives."),
        Measure("power_out_kwh", "power", "above", "Energy for driving, kWh; >= 0."),
        Measure("power_in_kwh", "power", "below",
                "Energy from recuperating and charging, kWh; >= 0."),
        Measure("charger_power_mean_kw", "charger_power", "mean", "Mean charger power, kW."),
        Measure("charger_power_max_kw", "charger_power", "max", "Highest charger power, kW."),
        Measure("charger_kwh", "charger_power", "above", "Energy of the charger, kWh; >= 0."),
        Measure("charger_voltage_min_v", "charger_voltage", "min", "Lowest charger voltage, V."),
        Measure("charger_voltage_max_v", "charger_voltage", "max", "Highest charger voltage, V."),
        Measure("charge_energy_added_last_kwh", "charge_energy_added", "last",
                "Last energy into the battery since plug-in, kWh."),
        Measure("charge_limit_soc_last_pct", "charge_limit_soc", "last", "Last charge limit, %."),
        *_range("inside_temp", "inside_temp", "c", "cabin temperature, °C."),
        *_range("outside_temp", "outside_temp", "c", "outside temperature, °C."),
        *(
            Measure(f"tpms_pressure_{tyre}_{statistic}_bar", f"tpms_pressure_{tyre}", statistic,
                    f"{word} tyre pressure {where}, bar.")
            for tyre, where in _TYRES.items()
            for statistic, word in _LEAST_AND_LAST.items()
        ),
        *_ends("latitude", "latitude", "deg", "latitude, degrees north, WGS 84."),
        *_ends("longitude", "longitude", "deg", "longitude, degrees east, WGS 84."),
        Measure("locked_s", "is_locked", "while_true", "Time locked, s."),
        Measure("sentry_mode_s", "sentry_mode", "while_true", "Time with sentry mode on, s."),
        Measure("charging_states", "charging_state", "seen", "Charging states, joined by +."),
        Measure("shift_states", "shift_state", "seen", "Gears, joined by +."),
        Measure("firmware_last", "firmware", "last", "Last firmware version."),
    ],
)  # fmt: skip

ALL_SERIES = {series.name: series for series in (VEHICLE_SERIES, ENERGY_SERIES)}
"""The time series that grow without end, by the table of their samples."""
