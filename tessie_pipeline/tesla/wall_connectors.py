"""Decoding of what a site says about its wall connectors (`fleet_api.md` sections 4.1 and 4.3).

Here: finished charges of `telemetry_history?kind=charge`, and each connector at each instant of
stored `live_status` answers. Powers in W and energies in Wh are those at the connector, before the
car's charger. Not here: the rest of those answers, and which plug-in a charge belongs to.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import polars as pl
from pydantic import Field

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.tesla.answers import (
    LARGEST,
    Answer,
    EpochSeconds,
    Number,
    Rejected,
    Text,
    UndecodableAnswer,
    Vin,
    from_seconds,
    kept_text,
    read,
    rejected,
    unwrapped,
)

CONNECTOR_CHARGES = pl.Schema(
    {
        "site_id": pl.String(),
        "started_at": UTC_TIME,
        "duration_s": pl.Int64(),
        "energy_wh": pl.Float64(),
        "din": pl.String(),
        "vin": pl.String(),
    }
)
"""One row per finished charge at a site's wall connectors; `din` names the connector, `vin` the car
where Tesla knows it; both may be null."""

WALL_CONNECTOR_SAMPLES = pl.Schema(
    {
        "site_id": pl.String(),
        "timestamp": UTC_TIME,
        "din": pl.String(),
        "vin": pl.String(),
        "state": pl.Int16(),
        "power_w": pl.Float64(),
    }
)
"""One row per wall connector and `live_status` answer: the car on its cable where Tesla knows it,
Tesla's number of the state (1 charging, 2 not connected, 4 connected) and the power [W]."""

_YEAR_S = 366 * 86_400
_BATCH = 100_000

STATE, POWER = "wall_connector_state", "wall_connector_power"

_CONNECTORS = pl.List(pl.Struct(dict.fromkeys(("din", "vin", STATE, POWER), pl.String())))
"""Numbers are read as text first, so that a bad one is found and does not fail its column."""


class _Epoch(Answer):
    seconds: EpochSeconds


class _Duration(Answer):
    seconds: Annotated[int, Field(ge=0, le=_YEAR_S)]


class _Charge(Answer):
    charge_start_time: _Epoch
    charge_duration: _Duration
    energy_added_wh: Annotated[Number, Field(ge=0)]
    din: Text | None = None
    vin: Vin | None = None


def decode_charge_history(body: object, site_id: str) -> tuple[pl.DataFrame, list[Rejected]]:
    """The finished charges of a `telemetry_history?kind=charge` answer, each decoded on its own.

    Returns:
        `CONNECTOR_CHARGES`, sorted by start; and the refused ones, `subject` being the site. A
        history of null is no rows and no refusal: so Tesla says that there was none.

    Raises:
        UndecodableAnswer: The answer is no charge history.
    """
    answer = unwrapped(body)
    if not isinstance(answer, Mapping) or "charge_history" not in answer:
        raise UndecodableAnswer("charge_history is missing")
    listed = answer["charge_history"] if answer["charge_history"] is not None else []
    if not isinstance(listed, list):
        raise UndecodableAnswer("charge_history is not a list")
    rows: list[dict[str, object]] = []
    refused: list[Rejected] = []
    for part in listed:
        try:
            charge = read(_Charge, kept_text(part))
        except UndecodableAnswer as error:
            refused.append(replace(rejected(part, str(error)), subject=site_id))
            continue
        rows.append(
            {
                "site_id": site_id,
                "started_at": from_seconds(charge.charge_start_time.seconds),
                "duration_s": charge.charge_duration.seconds,
                "energy_wh": charge.energy_added_wh,
                "din": charge.din,
                "vin": charge.vin,
            }
        )
    return pl.DataFrame(rows, schema=CONNECTOR_CHARGES).sort("started_at", "din"), refused


def decode_wall_connectors(states: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Every wall connector at every instant of stored `live_status` answers.

    Args:
        states: `site_id`, `timestamp` and `raw_data` (String) of `ENERGY_STATES`: answers without
            envelope. Those without connectors, or with null for them, give no rows.

    Returns:
        `WALL_CONNECTOR_SAMPLES`, sorted by site, time and connector; and what was refused, each
        with its list and `subject` being the site: lists that are none, and single connectors of
        which a number is none.
    """
    lists = states.select(
        "site_id", "timestamp", text=pl.col("raw_data").str.json_path_match("$.wall_connectors")
    ).drop_nulls("text")
    unreadable: list[Rejected] = []
    parts = [_parsed(part, unreadable) for part in lists.iter_slices(_BATCH)]
    if not parts:
        return WALL_CONNECTOR_SAMPLES.to_frame(), unreadable
    connectors = (
        pl.concat(parts)
        .explode("connectors")
        .drop_nulls("connectors")
        .unnest("connectors")
        .with_columns(
            pl.col("din", "vin").str.strip_chars().replace(["", "<invalid>"], None),
            state=pl.col(STATE).cast(pl.Int16, strict=False),
            power_w=pl.col(POWER).cast(pl.Float64, strict=False),
        )
        .with_columns(reason=_fault())
    )
    refused = connectors.drop_nulls("reason").select("reason", "text", "site_id")
    samples = (
        connectors.filter(pl.col("reason").is_null())
        .select(WALL_CONNECTOR_SAMPLES.names())
        .sort("site_id", "timestamp", "din")
    )
    return samples, unreadable + [Rejected(*row) for row in refused.iter_rows()]


def _parsed(lists: pl.DataFrame, unreadable: list[Rejected]) -> pl.DataFrame:
    """The lists with a column `connectors`, without those that are no lists of connectors.

    Polars refuses a whole column for one such text; halving the column finds it.
    """
    try:
        return lists.with_columns(connectors=pl.col("text").str.json_decode(_CONNECTORS))
    except pl.exceptions.PolarsError:
        if lists.height > 1:
            half = lists.height // 2
            parts = (lists.head(half), lists.tail(-half))
            return pl.concat([_parsed(part, unreadable) for part in parts])
    site_id, text = lists.select("site_id", "text").row(0)
    unreadable.append(Rejected("wall_connectors is not a list of connectors", text, site_id))
    return lists.clear().with_columns(connectors=pl.lit(None, _CONNECTORS))


def _fault() -> pl.Expr:
    """What is wrong with a connector's numbers, null if nothing is."""
    state_given, power_given = (pl.col(name).is_not_null() for name in (STATE, POWER))
    state_is_known = pl.col("state") >= 0
    power_is_known = pl.col("power_w").abs() <= LARGEST
    shown = [pl.col(name).str.slice(0, 40) for name in (STATE, POWER)]
    return (
        pl.when(state_given & ~state_is_known.fill_null(value=False))
        .then(pl.format(STATE + " is {}, expected a small number", shown[0]))
        .when(power_given & ~power_is_known.fill_null(value=False))
        .then(pl.format(POWER + " is {}, expected a number", shown[1]))
    )
