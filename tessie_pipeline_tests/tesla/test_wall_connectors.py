import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.simulator.charging_history import connector_charges
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.tesla.answers import Rejected, UndecodableAnswer
from tessie_pipeline.tesla.energy_answers import decode_live_status
from tessie_pipeline.tesla.wall_connectors import (
    CONNECTOR_CHARGES,
    WALL_CONNECTOR_SAMPLES,
    decode_charge_history,
    decode_wall_connectors,
)
from tessie_pipeline_tests.tesla.captured import captured

MAY = datetime(2026, 5, 1, tzinfo=UTC)
CHARGE = {
    "charge_start_time": {"seconds": 1_777_593_600},
    "charge_duration": {"seconds": 5400},
    "energy_added_wh": 11040,
    "din": "1529455-02-D--PGT1",
    "vin": "5YJ3E1EA5LF000001",
}
CONNECTOR = {
    "din": "1529455-02-D--PGT1",
    "vin": "5YJ3E1EA5LF000001",
    "wall_connector_state": 1,
    "wall_connector_fault_state": 2,
    "wall_connector_power": 11_040.5,
}


def history(*charges: object) -> dict[str, Any]:
    return {"response": {"charge_history": list(charges)}}


def states(*texts: str | None) -> pl.DataFrame:
    rows = [("site", MAY + timedelta(minutes=n), text) for n, text in enumerate(texts)]
    schema = {"site_id": pl.String(), "timestamp": UTC_TIME, "raw_data": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def answer(*connectors: object) -> str:
    return json.dumps({"timestamp": MAY.isoformat(), "wall_connectors": list(connectors)})


def test_a_charge_is_what_a_person_reads_in_it() -> None:
    # 1,777,593,600 s are 20,574 days: 2026-05-01.
    frame, refused = decode_charge_history(history(CHARGE), "site")
    assert frame.to_dicts() == [
        {
            "site_id": "site",
            "started_at": datetime(2026, 5, 1, tzinfo=UTC),
            "duration_s": 5400,
            "energy_wh": 11_040.0,
            "din": "1529455-02-D--PGT1",
            "vin": "5YJ3E1EA5LF000001",
        }
    ]
    assert refused == []


def test_a_charge_without_connector_and_car_is_kept() -> None:
    frame, _ = decode_charge_history(history(CHARGE | {"din": None, "vin": ""}), "site")
    assert frame.select("din", "vin", "energy_wh").rows() == [(None, None, 11_040.0)]


@pytest.mark.parametrize("listed", [None, []])
def test_no_charges_are_no_rows(listed: object) -> None:
    frame, refused = decode_charge_history({"response": {"charge_history": listed}}, "site")
    assert (frame.height, frame.schema, refused) == (0, CONNECTOR_CHARGES, [])


@pytest.mark.parametrize(
    ("charge", "reason"),
    [
        pytest.param(CHARGE | {"charge_start_time": None}, "charge_start_time is missing", id="-"),
        pytest.param(
            CHARGE | {"charge_duration": {"seconds": -1}}, "charge_duration.seconds is -1", id="<0"
        ),
        pytest.param(
            CHARGE | {"energy_added_wh": "much"}, "energy_added_wh is 'much'", id="no number"
        ),
        pytest.param(5, "the answer is 5", id="no object"),
    ],
)
def test_a_bad_charge_is_kept_aside_with_its_reason(charge: object, reason: str) -> None:
    frame, (refused,) = decode_charge_history(history(CHARGE, charge), "site")
    assert frame.height == 1
    assert reason in refused.reason
    assert (refused.subject, refused.body != "") == ("site", True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"response": None}, id="empty"),
        pytest.param({"response": {"time_series": []}}, id="another history"),
        pytest.param({"response": {"charge_history": {}}}, id="an object"),
    ],
)
def test_what_is_no_charge_history_is_refused(body: object) -> None:
    with pytest.raises(UndecodableAnswer):
        decode_charge_history(body, "site")


def test_all_charges_of_a_simulated_month_decode() -> None:
    fleet = Fleet()
    start_s, end_s = MAY.timestamp(), (MAY + timedelta(days=31)).timestamp()
    charges = connector_charges(fleet, fleet.sites[0], start_s, end_s, end_s)
    frame, refused = decode_charge_history(history(*charges), "site")
    assert refused == []
    assert frame.height == len(charges) > 10
    assert set(frame["vin"]) == {car.vin for car in fleet.cars}


def test_the_captured_answers_connectors_are_what_a_person_reads_in_them() -> None:
    texts = [
        str(decode_live_status(captured(f"live_status/{name}")).row["raw_data"])
        for name in ("battery_charging_car_plugged_in", "fleet_2024_05")
    ]
    samples, refused = decode_wall_connectors(states(*texts))
    assert samples.rows() == [("site", MAY, "5432", "1234", 4, 0.0)]
    assert samples.schema == WALL_CONNECTOR_SAMPLES
    assert refused == []


def test_each_connector_at_each_instant_is_a_row() -> None:
    other = {"din": "2", "wall_connector_state": 2, "wall_connector_power": 0}
    samples, refused = decode_wall_connectors(states(answer(CONNECTOR, other), answer(other)))
    assert samples.rows() == [
        ("site", MAY, "1529455-02-D--PGT1", "5YJ3E1EA5LF000001", 1, 11_040.5),
        ("site", MAY, "2", None, 2, 0.0),
        ("site", MAY + timedelta(minutes=1), "2", None, 2, 0.0),
    ]
    assert refused == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="no answer kept"),
        pytest.param("{}", id="no key"),
        pytest.param('{"wall_connectors":null}', id="null"),
        pytest.param('{"wall_connectors":[]}', id="none"),
        pytest.param('{"wall_connectors":[null]}', id="a null"),
    ],
)
def test_a_site_without_connectors_gives_no_rows(text: str | None) -> None:
    samples, refused = decode_wall_connectors(states(text))
    assert (samples.height, samples.schema, refused) == (0, WALL_CONNECTOR_SAMPLES, [])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(CONNECTOR | {"wall_connector_power": "much"}, "power is much", id="power"),
        pytest.param(CONNECTOR | {"wall_connector_power": 10**13}, "power is 1000000", id="huge"),
        pytest.param(CONNECTOR | {"wall_connector_state": -1}, "state is -1", id="state"),
    ],
)
def test_a_bad_connector_is_kept_aside_and_the_others_stay(bad: object, reason: str) -> None:
    samples, (refused,) = decode_wall_connectors(states(answer(bad, CONNECTOR)))
    assert samples.height == 1
    assert reason in refused.reason
    assert refused.subject == "site"


def test_what_is_no_list_is_found_among_many_answers() -> None:
    texts = [answer(CONNECTOR)] * 100
    texts[37], texts[80] = '{"wall_connectors":{"din":"1"}}', '{"wall_connectors":[5]}'
    samples, refused = decode_wall_connectors(states(*texts))
    assert samples.height == 98
    reason = "wall_connectors is not a list of connectors"
    assert refused == [Rejected(reason, '{"din":"1"}', "site"), Rejected(reason, "[5]", "site")]


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*CONNECTOR, "other"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_whatever_stands_there_is_rows_or_refused(connectors: Any) -> None:
    text = json.dumps({"wall_connectors": connectors}, ensure_ascii=False)
    good = answer(CONNECTOR)
    samples, _ = decode_wall_connectors(states(good, text.encode("utf-8", "replace").decode()))
    assert samples.filter(pl.col("timestamp") == MAY).height == 1
    assert samples.schema == WALL_CONNECTOR_SAMPLES


def test_a_quarter_of_a_million_answers_take_seconds() -> None:
    text = json.dumps(captured("live_status/battery_charging_car_plugged_in")["response"])
    frame = states(*[text] * 250_000)
    began = time.perf_counter()
    samples, _ = decode_wall_connectors(frame)
    assert samples.height == 250_000
    assert time.perf_counter() - began < 20
