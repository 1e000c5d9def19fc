import json
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.tesla.answers import Rejected
from tessie_pipeline.tesla.history import (
    ENERGY_FIELDS,
    POWER_FIELDS,
    decode_energy_history,
    decode_power_history,
    decode_soe_history,
)
from tessie_pipeline.tesla.history_check import check_history_answer
from tessie_pipeline_tests.tesla.captured import captured, captured_text

FIVE_MINUTES = timedelta(minutes=5)


def answers(*bodies: str | None, site_id: str = "site") -> pl.DataFrame:
    return pl.DataFrame(
        {"site_id": [site_id] * len(bodies), "body": bodies},
        schema={"site_id": pl.String, "body": pl.String},
    )


def energy_answer(*stamps: str, **fields: object) -> str:
    series = [{"timestamp": stamp, "solar_energy_exported": 2} | fields for stamp in stamps]
    return json.dumps({"response": {"period": "day", "time_series": series}})


def local_day(day: date, zone: str) -> list[datetime]:
    """Every 5-minute start of a local day, each with the offset of its instant."""
    tz = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=tz).astimezone(UTC)
    after = day + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=tz).astimezone(UTC)
    count = (end - start) // FIVE_MINUTES
    return [(start + n * FIVE_MINUTES).astimezone(tz) for n in range(count)]


def stamps_of(frame: pl.DataFrame) -> list[datetime]:
    return frame["timestamp"].to_list()


def test_the_captured_energy_day_decodes_to_what_a_person_reads_in_it() -> None:
    frame, refused = decode_energy_history(
        answers(captured_text("calendar_history/energy_two_buckets"))
    )
    nothing: dict[str, Any] = dict.fromkeys(ENERGY_FIELDS, 0.0) | {
        "total_home_usage": None,
        "total_solar_generation": None,
        "total_battery_charge": None,
        "total_battery_discharge": None,
        "total_grid_energy_exported": None,
    }
    assert refused == []
    assert frame.to_dicts() == [
        nothing
        | {
            "site_id": "site",
            "timestamp": datetime(2024, 9, 17, 14, 0, tzinfo=UTC),
            "battery_energy_exported": 36.0,
            "consumer_energy_imported_from_battery": 36.0,
            "total_home_usage": 36.0,
            "total_battery_discharge": 36.0,
        },
        nothing
        | {
            "site_id": "site",
            "timestamp": datetime(2024, 9, 17, 22, 45, tzinfo=UTC),
            "solar_energy_exported": 724.0,
            "grid_energy_exported_from_solar": 2.0,
            "battery_energy_imported_from_solar": 684.0,
            "consumer_energy_imported_from_solar": 38.0,
            "total_home_usage": 38.0,
            "total_solar_generation": 724.0,
            "total_battery_charge": 684.0,
            "total_grid_energy_exported": 2.0,
        },
    ]
    assert frame.schema == {
        "site_id": pl.String(),
        "timestamp": UTC_TIME,
        **dict.fromkeys(ENERGY_FIELDS, pl.Float64()),
    }


def test_the_captured_power_answer_decodes_without_a_period() -> None:
    frame, refused = decode_power_history(
        answers(captured_text("calendar_history/power_owner_api"))
    )
    assert refused == []
    assert frame.to_dicts() == [
        {"site_id": "site", "timestamp": datetime(2022, 5, 13, 7, 0, tzinfo=UTC)}
        | dict.fromkeys(POWER_FIELDS, 0.0)
    ]


def test_the_captured_week_is_refused_with_its_text() -> None:
    text = captured_text("calendar_history/energy_owner_api")
    frame, refused = decode_energy_history(answers(text))
    assert frame.is_empty()
    assert refused == [Rejected("period is week, expected day", text, "site")]


def test_power_keeps_its_signs_and_an_absent_field_is_null() -> None:
    body = json.dumps(
        {
            "time_series": [
                {"timestamp": "2018-02-27T00:05:00+11:00", "solar_power": 0, "grid_power": -12.5}
            ]
        }
    )
    frame, _ = decode_power_history(answers(body))
    assert frame.row(0) == (
        "site",
        datetime(2018, 2, 26, 13, 5, tzinfo=UTC),
        0.0,
        None,
        -12.5,
        None,
        None,
    )


def test_states_of_charge_come_every_fifteen_minutes() -> None:
    stamps = [f"2023-11-23T{n // 4:02}:{n % 4 * 15:02}:00+11:00" for n in range(96)]
    body = json.dumps({"response": {"time_series": [{"timestamp": s, "soe": 50} for s in stamps]}})
    frame, refused = decode_soe_history(answers(body))
    assert refused == []
    assert frame.height == 96
    assert frame.row(1) == ("site", datetime(2023, 11, 22, 13, 15, tzinfo=UTC), 50.0)


@pytest.mark.parametrize(
    ("zone", "day", "buckets"),
    [
        ("America/Los_Angeles", date(2024, 3, 10), 276),
        ("America/Los_Angeles", date(2024, 11, 3), 300),
        ("Europe/London", date(2024, 10, 27), 300),
        ("Asia/Kolkata", date(2024, 6, 1), 288),
        ("Asia/Kathmandu", date(2024, 6, 1), 288),
        ("Australia/Lord_Howe", date(2024, 4, 7), 294),
    ],
)
def test_a_local_day_is_gapless_in_utc_whatever_its_offsets(
    zone: str, day: date, buckets: int
) -> None:
    local = local_day(day, zone)
    body = energy_answer(*(stamp.isoformat() for stamp in local))
    frame, refused = decode_energy_history(answers(body))
    stamps = stamps_of(frame)
    assert refused == []
    assert len(stamps) == buckets
    assert stamps[0] == local[0].astimezone(UTC)
    assert {after - before for before, after in pairwise(stamps)} == {FIVE_MINUTES}
    assert check_history_answer("energy", json.loads(body), day, ZoneInfo(zone)) is None


def test_the_repeated_hour_of_autumn_is_two_hours() -> None:
    frame, _ = decode_energy_history(
        answers(energy_answer("2024-11-03T01:30:00-04:00", "2024-11-03T01:30:00-05:00"))
    )
    assert stamps_of(frame) == [
        datetime(2024, 11, 3, 5, 30, tzinfo=UTC),
        datetime(2024, 11, 3, 6, 30, tzinfo=UTC),
    ]


def test_a_stamp_may_be_in_utc_already() -> None:
    frame, _ = decode_energy_history(answers(energy_answer("2024-11-03T05:30:00Z")))
    assert stamps_of(frame) == [datetime(2024, 11, 3, 5, 30, tzinfo=UTC)]


def test_the_envelope_may_be_absent() -> None:
    bare = json.dumps(captured("calendar_history/energy_two_buckets")["response"])
    frame, refused = decode_energy_history(answers(bare))
    assert (frame.height, refused) == (2, [])


def test_the_last_of_repeated_buckets_counts_and_rows_are_sorted() -> None:
    first = energy_answer("2024-06-01T00:05:00Z", "2024-06-01T00:00:00Z", "2024-06-01T00:05:00Z")
    body = json.loads(first)
    body["response"]["time_series"][2]["solar_energy_exported"] = 7
    sites = pl.concat(
        [answers(json.dumps(body), site_id="b"), answers(json.dumps(body), site_id="a")]
    )
    frame, _ = decode_energy_history(sites)
    assert frame.select("site_id", "timestamp", "solar_energy_exported").rows() == [
        ("a", datetime(2024, 6, 1, 0, 0, tzinfo=UTC), 2.0),
        ("a", datetime(2024, 6, 1, 0, 5, tzinfo=UTC), 7.0),
        ("b", datetime(2024, 6, 1, 0, 0, tzinfo=UTC), 2.0),
        ("b", datetime(2024, 6, 1, 0, 5, tzinfo=UTC), 7.0),
    ]


@pytest.mark.parametrize("series", [None, []])
def test_an_empty_series_is_no_rows_and_no_refusal(series: object) -> None:
    body = json.dumps({"response": {"period": "day", "time_series": series}})
    frame, refused = decode_energy_history(answers(body))
    assert (frame.height, refused) == (0, [])
    assert frame.width == 2 + len(ENERGY_FIELDS)


def test_no_answers_are_no_rows() -> None:
    frame, refused = decode_soe_history(answers())
    assert (frame.schema.names(), refused) == (["site_id", "timestamp", "soe"], [])


def test_numbers_as_text_are_numbers_and_unknowns_are_null() -> None:
    body = energy_answer(
        "2024-06-01T00:00:00Z",
        grid_energy_imported="36.5",
        battery_energy_exported="",
        total_home_usage="<invalid>",
    )
    frame, refused = decode_energy_history(answers("\ufeff" + body))
    assert refused == []
    assert frame["grid_energy_imported"].to_list() == [36.5]
    assert frame["battery_energy_exported"].to_list() == [None]
    assert frame["total_home_usage"].to_list() == [None]


def test_a_day_with_holes_is_taken_as_it_is() -> None:
    day = [stamp.isoformat() for stamp in local_day(date(2024, 6, 1), "Asia/Kolkata")]
    del day[20:200:2]
    frame, refused = decode_energy_history(answers(energy_answer(*day)))
    assert (frame.height, refused) == (288 - 90, [])


def test_two_hundred_sites_decode_in_a_breath() -> None:
    day = [stamp.isoformat() for stamp in local_day(date(2024, 6, 1), "America/Denver")]
    body = energy_answer(*day, **dict.fromkeys(ENERGY_FIELDS, 1234))
    table = pl.DataFrame({"site_id": [f"{n:04}" for n in range(200)], "body": [body] * 200})
    began = time.perf_counter()
    frame, refused = decode_energy_history(table)
    assert time.perf_counter() - began < 2
    assert (frame.height, refused) == (57_600, [])
