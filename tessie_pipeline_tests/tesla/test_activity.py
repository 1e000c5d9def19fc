from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.domain.polling import Activity, Purpose
from tessie_pipeline.tesla.activity import decode_activity
from tessie_pipeline.tesla.answers import UndecodableAnswer
from tessie_pipeline_tests.tesla.captured import captured

READ = (
    ("charge_state", "charging_state", "charging_state"),
    ("drive_state", "shift_state", "shift_state"),
    ("vehicle_state", "is_user_present", "is_user_present"),
    ("vehicle_state", "sentry_mode", "is_sentry_on"),
    ("climate_state", "climate_keeper_mode", "climate_keeper_mode"),
    ("climate_state", "is_preconditioning", "is_preconditioning"),
)


def changed(sub_state: str, **changes: object) -> Activity:
    """What a captured answer of an idle car says with some fields changed."""
    answer = captured("vehicle_data/ac_complete_model_s_2015")
    body = answer.get("response", answer)
    body[sub_state] |= changes
    return decode_activity(answer)


def updating(**update: object) -> Activity:
    return changed("vehicle_state", software_update=update)


def test_a_car_at_a_supercharger_is_charging_with_somebody_in_it() -> None:
    assert decode_activity(captured("vehicle_data/supercharging_100kw")) == Activity(
        at=datetime(2019, 10, 1, 17, 48, 17, 456_000, tzinfo=UTC),
        charging_state="Charging",
        is_user_present=True,
        is_sentry_on=False,
        climate_keeper_mode="off",
        is_preconditioning=False,
    )


def test_a_car_that_has_charged_is_idle() -> None:
    activity = decode_activity(captured("vehicle_data/ac_complete_model_s_2015"))
    assert activity.business == (Purpose.IDLE, "idle")
    assert activity.is_plugged_in
    assert activity.is_sentry_on is None


def test_sentry_mode_is_read() -> None:
    activity = decode_activity(captured("vehicle_data/no_location_firmware_2023_38"))
    assert activity.business[0] is Purpose.KEPT_AWAKE


@pytest.mark.parametrize("unknown", [None, "", "<invalid>", [], {}])
@pytest.mark.parametrize(("sub_state", "field", "name"), READ, ids=[name for *_, name in READ])
def test_what_is_not_said_or_not_understood_is_unknown(
    sub_state: str, field: str, name: str, unknown: object
) -> None:
    assert getattr(changed(sub_state, **{field: unknown}), name) is None


def test_an_absent_sub_state_leaves_its_part_unknown() -> None:
    answer = captured("vehicle_data/supercharging_100kw")
    del answer["vehicle_state"], answer["climate_state"]
    activity = decode_activity(answer)
    assert activity.charging_state == "Charging"
    assert activity.is_user_present is None
    assert activity.update_status is None


@pytest.mark.parametrize(
    ("activity", "is_updating"),
    [
        (updating(status="downloading", download_perc=40), True),
        (updating(status="downloading", download_perc="40"), True),
        (updating(status="downloading"), True),
        (updating(status="downloading", download_perc=100), False),
        (updating(status="downloading_wifi_wait", download_perc=40), False),
        (updating(status="installing"), True),
        (updating(status="available", download_perc=100), False),
        (updating(status="", download_perc=0), False),
        (changed("vehicle_state", software_update=None), False),
        (changed("vehicle_state", software_update="2026.8"), False),
    ],
    ids=[
        "downloading",
        "percentage as text",
        "percentage unknown",
        "downloaded",
        "waiting for Wi-Fi",
        "installing",
        "available",
        "none",
        "unknown",
        "not an object",
    ],
)
def test_a_download_or_an_installation_is_an_update(activity: Activity, is_updating: bool) -> None:
    assert activity.is_updating is is_updating


def test_the_newest_sub_state_dates_the_activity() -> None:
    assert changed("gui_settings", timestamp=1893456000001).at == datetime(
        2030, 1, 1, microsecond=1_000, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "answer",
    [None, [], "offline", {}, {"response": None, "error": "vehicle unavailable"}, {"state": 1}],
    ids=["null", "list", "text", "empty", "refused", "no sub-state"],
)
def test_what_has_no_time_is_refused(answer: object) -> None:
    with pytest.raises(UndecodableAnswer):
        decode_activity(answer)


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    sub_state=st.sampled_from(["charge_state", "drive_state", "vehicle_state", "climate_state"]),
    field=st.sampled_from([field for _, field, _ in READ] + ["software_update", "timestamp"]),
    junk=JUNK,
)
def test_junk_gives_an_activity_or_a_refusal(sub_state: str, field: str, junk: Any) -> None:
    try:
        activity = changed(sub_state, **{field: junk})
    except UndecodableAnswer:
        return
    assert activity.at.tzinfo is UTC
