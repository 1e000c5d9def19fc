"""Captured answers with random damage: each is decoded or refused, and nothing else happens."""

import json
import math
from collections.abc import Callable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessie_pipeline.domain.samples import ENERGY_STATES, VEHICLE_STATES
from tessie_pipeline.tesla.answers import Rejected, UndecodableAnswer
from tessie_pipeline.tesla.energy_answers import decode_live_status, decode_site_info
from tessie_pipeline.tesla.error_answers import decode_error
from tessie_pipeline.tesla.history import (
    decode_energy_history,
    decode_power_history,
    decode_soe_history,
)
from tessie_pipeline.tesla.history_check import check_history_answer
from tessie_pipeline.tesla.product_answers import decode_products
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle_data
from tessie_pipeline_tests.tesla.captured import DATA, captured, captured_text

quickly = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
vehicle_schema = {
    name: dtype for name, dtype in VEHICLE_STATES.items() if name not in {"vehicle_id", "is_stale"}
}
energy_schema = {
    name: dtype for name, dtype in ENERGY_STATES.items() if name not in {"site_id", "is_stale"}
}
odd_texts = st.one_of(
    st.sampled_from(["", "<invalid>", "17.4", "80", "1e999", "nan", "\x00", "\ud800", "true"]),
    st.sampled_from(["2024-06-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "day", "week"]),
    st.text(),
)
junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(10**400), 10**400),
        st.sampled_from([80.0, 32_768, 2**63, 1e308, -1e308, math.nan, math.inf, 1705707520649]),
        st.floats(),
        odd_texts,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def places(node: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a JSON tree, the root's first."""
    found = [path]
    children = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, child in children:
        found += places(child, (*path, key))
    return found


@st.composite
def damaged(draw: st.DrawFn, folder: str) -> Any:
    """A captured answer of a folder with one to four values dropped or replaced."""
    name = draw(st.sampled_from(sorted(path.stem for path in (DATA / folder).glob("*.json"))))
    answer = captured(f"{folder}/{name}")
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(places(answer)))
        value = draw(junk)
        if not path:
            if draw(st.integers(0, 9)) == 0:
                return value
            continue
        parent = answer
        for step in path[:-1]:
            parent = parent[step]
        if draw(st.booleans()):
            parent[path[-1]] = value
        else:
            del parent[path[-1]]
    return answer


@quickly
@given(damaged("vehicle_data"))
def test_a_damaged_vehicle_data_is_a_row_or_refused(answer: object) -> None:
    try:
        row = decode_vehicle_data(answer).row
    except UndecodableAnswer:
        return
    assert pl.DataFrame([row], schema=vehicle_schema).to_dicts() == [row]


@quickly
@given(damaged("live_status"))
def test_a_damaged_live_status_is_a_row_or_refused(answer: object) -> None:
    try:
        row = decode_live_status(answer).row
    except UndecodableAnswer:
        return
    assert pl.DataFrame([row], schema=energy_schema).to_dicts() == [row]


@quickly
@given(damaged("site_info"))
def test_a_damaged_site_info_is_a_site_or_refused(answer: object) -> None:
    try:
        site = decode_site_info(answer, 5)
    except UndecodableAnswer:
        return
    assert site.tesla_site_id == 5


@quickly
@given(damaged("products"))
def test_every_product_of_a_damaged_list_is_one_of_four(answer: Any) -> None:
    try:
        products = decode_products(answer)
    except UndecodableAnswer:
        return
    listed = answer["response"] if isinstance(answer, dict) else answer
    parts = (products.vehicles, products.sites, products.rejected, products.ignored)
    assert sum(map(len, parts)) == len(listed)
    assert all(part.reason for part in products.rejected)


Decode = Callable[[pl.DataFrame], tuple[pl.DataFrame, list[Rejected]]]


@pytest.mark.parametrize(
    ("decode", "good", "rows_of_good"),
    [
        (decode_energy_history, captured_text("calendar_history/energy_two_buckets"), 2),
        (decode_power_history, captured_text("calendar_history/power_owner_api"), 1),
        (decode_soe_history, captured_text("calendar_history/power_owner_api"), 1),
    ],
)
@settings(quickly, max_examples=60)
@given(damaged("calendar_history"))
def test_a_damaged_history_is_rows_or_refused_and_costs_no_other(
    decode: Decode, good: str, rows_of_good: int, answer: object
) -> None:
    try:
        body = json.dumps(answer)
    except ValueError:
        return
    frame, refused = decode(pl.DataFrame({"site_id": ["good", "damaged"], "body": [good, body]}))
    assert frame.filter(pl.col("site_id") == "good").height == rows_of_good
    rows = frame.filter(pl.col("site_id") == "damaged")
    assert [part.subject for part in refused] in ([], ["damaged"])
    if refused:
        assert rows.is_empty()
        assert refused[0].reason
        assert refused[0].body == body
    else:
        numbers = pl.all().exclude("site_id", "timestamp")
        assert rows.select(numbers.is_finite().fill_null(value=True).all()).row(0) == (True,) * (
            rows.width - 2
        )


@quickly
@given(st.text() | damaged("calendar_history"))
def test_no_history_breaks_the_check(answer: object) -> None:
    reason = check_history_answer("energy", answer, date(2024, 9, 18), ZoneInfo("Asia/Kolkata"))
    assert reason is None or reason


@quickly
@given(
    st.integers(400, 599),
    st.dictionaries(
        st.sampled_from(["Retry-After", "RateLimit-Reset", "Date"]), st.text() | odd_texts
    ),
    st.text() | damaged("errors").map(lambda body: json.dumps(body, default=str)),
)
def test_every_error_says_something(status: int, headers: dict[str, str], text: str) -> None:
    facts = decode_error(status, headers, text)
    assert facts.message
    assert "\n" not in facts.message
    assert facts.retry_after_s is None or facts.retry_after_s >= 0
