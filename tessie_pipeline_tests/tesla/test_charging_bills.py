"""Records are written by hand in the shape of Tesla's own sample (`fleet_api.md` section 3.4)."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessie_pipeline.simulator.charging_history import supercharger_sessions
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.tesla.answers import UndecodableAnswer
from tessie_pipeline.tesla.charging_bills import (
    CHARGING_BILLS,
    CHARGING_FEES,
    decode_charging_bills,
)

CHARGING = {
    "sessionFeeId": 7,
    "feeType": "CHARGING",
    "currencyCode": "NOK",
    "pricingType": "PAYMENT",
    "rateBase": 2.28,
    "rateTier1": 0,
    "rateTier2": 0,
    "rateTier3": None,
    "rateTier4": None,
    "usageBase": 60,
    "usageTier1": 0,
    "usageTier2": 0,
    "usageTier3": None,
    "usageTier4": None,
    "totalBase": 136.8,
    "totalTier1": 0,
    "totalTier2": 0,
    "totalTier3": 0,
    "totalTier4": 0,
    "totalDue": 136.8,
    "netDue": 100.8,
    "uom": "kwh",
    "isPaid": True,
    "status": "PAID",
}
PARKING = {
    "sessionFeeId": 8,
    "feeType": "PARKING",
    "currencyCode": "NOK",
    "pricingType": "PAYMENT",
    "rateTier1": 2.5,
    "rateTier2": 5.0,
    "usageTier1": 4,
    "usageTier2": 3,
    "totalDue": 25.0,
    "netDue": 25.0,
    "uom": "min",
    "isPaid": False,
    "status": "UNPAID",
}
RECORD = {
    "sessionId": 1234,
    "vin": "5YJ3E1EA5LF000001",
    "siteLocationName": "Nybyveien, Norway",
    "chargeStartDateTime": "2023-07-20T20:06:43+02:00",
    "chargeStopDateTime": "2023-07-20T20:48:55+02:00",
    "unlatchDateTime": "2023-07-20T20:56:12+02:00",
    "countryCode": "NO",
    "fees": [CHARGING, PARKING],
    "billingType": "IMMEDIATE",
    "invoices": [{"fileName": "a.pdf", "contentId": "b", "invoiceType": "IMMEDIATE"}],
    "vehicleMakeType": "TSLA",
}


def page(*records: object, **beside: object) -> dict[str, Any]:
    return {"response": {"data": list(records), **beside}}


def test_a_bill_is_what_a_person_reads_in_it() -> None:
    decoded = decode_charging_bills(page(RECORD, totalResults=1))
    (bill,) = decoded.bills.to_dicts()
    assert json.loads(bill.pop("raw_data")) == RECORD
    assert bill == {
        "session_id": 1234,
        "vin": "5YJ3E1EA5LF000001",
        "site_name": "Nybyveien, Norway",
        "started_at": datetime(2023, 7, 20, 18, 6, 43, tzinfo=UTC),
        "stopped_at": datetime(2023, 7, 20, 18, 48, 55, tzinfo=UTC),
        "unlatched_at": datetime(2023, 7, 20, 18, 56, 12, tzinfo=UTC),
        "country": "NO",
        "billing_type": "IMMEDIATE",
    }
    charging, parking = decoded.fees.to_dicts()
    assert charging == {
        "session_id": 1234,
        "position": 0,
        "session_fee_id": 7,
        "fee_type": "CHARGING",
        "currency": "NOK",
        "pricing_type": "PAYMENT",
        "uom": "kwh",
        "rate_base": 2.28,
        "rate_tier_1": 0.0,
        "rate_tier_2": 0.0,
        "rate_tier_3": None,
        "rate_tier_4": None,
        "usage_base": 60.0,
        "usage_tier_1": 0.0,
        "usage_tier_2": 0.0,
        "usage_tier_3": None,
        "usage_tier_4": None,
        "total_base": 136.8,
        "total_tier_1": 0.0,
        "total_tier_2": 0.0,
        "total_tier_3": 0.0,
        "total_tier_4": 0.0,
        "total_due": 136.8,
        "net_due": 100.8,
        "is_paid": True,
        "status": "PAID",
    }
    # 4 min at 2.50 and 3 min at 5.00 are 10 + 15 = 25.
    assert (parking["position"], parking["fee_type"], parking["uom"]) == (1, "PARKING", "min")
    assert (parking["usage_tier_1"], parking["rate_tier_2"]) == (4.0, 5.0)
    assert (parking["total_due"], parking["is_paid"]) == (25.0, False)
    assert decoded.rejected == ()


def test_fees_of_other_kinds_and_their_words_are_kept_as_given() -> None:
    congestion = {"feeType": "CONGESTION", "uom": "min", "totalDue": 3.0, "status": "<invalid>"}
    (fee,) = decode_charging_bills(page(RECORD | {"fees": [congestion]})).fees.to_dicts()
    assert (fee["fee_type"], fee["uom"], fee["total_due"]) == ("CONGESTION", "min", 3.0)
    assert fee["status"] is fee["currency"] is fee["rate_base"] is None


@pytest.mark.parametrize("fees", [None, []])
def test_a_free_session_is_a_bill_without_fees(fees: object) -> None:
    decoded = decode_charging_bills(page(RECORD | {"fees": fees, "invoices": None}))
    assert (decoded.bills.height, decoded.fees.height) == (1, 0)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param(RECORD | {"sessionId": None}, "sessionId is missing", id="no id"),
        pytest.param(RECORD | {"vin": ""}, "vin is missing", id="no car"),
        pytest.param(
            RECORD | {"chargeStartDateTime": "2023-07-20T20:06:43"},
            "chargeStartDateTime is '2023-07-20T20:06:43'",
            id="a time without offset",
        ),
        pytest.param(
            RECORD | {"fees": [CHARGING, PARKING | {"totalDue": "much"}]},
            "fees.1.totalDue is 'much'",
            id="one bad fee",
        ),
        pytest.param("a word", "the answer is 'a word'", id="no record"),
        pytest.param(RECORD | {"x": math.nan}, "cannot be written as JSON", id="not JSON"),
    ],
)
def test_a_bad_record_is_kept_aside_whole_with_its_reason(record: object, reason: str) -> None:
    decoded = decode_charging_bills(page(RECORD | {"sessionId": 1}, record, RECORD))
    (refused,) = decoded.rejected
    assert reason in refused.reason
    assert refused.body
    assert decoded.bills["session_id"].to_list() == [1, 1234]
    assert decoded.fees["session_id"].to_list() == [1, 1, 1234, 1234]
    assert decoded.record_count == 3


def test_a_record_that_comes_twice_is_one_bill() -> None:
    decoded = decode_charging_bills(page(RECORD, RECORD | {"countryCode": "SE"}))
    assert decoded.bills["country"].to_list() == ["SE"]
    assert decoded.fees.height == 2


def test_a_page_without_envelope_is_read_too() -> None:
    assert decode_charging_bills({"data": [RECORD]}).bills.height == 1


def test_an_empty_history_has_its_columns() -> None:
    decoded = decode_charging_bills(page(totalResults=0))
    assert decoded.bills.schema == CHARGING_BILLS
    assert decoded.fees.schema == CHARGING_FEES
    assert decoded.is_last(received=0)
    assert decode_charging_bills({"response": {"data": None}}).is_last(received=0)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"response": None, "error": "not_found"}, id="error"),
        pytest.param({"response": {}}, id="no data"),
        pytest.param([RECORD], id="a list"),
        pytest.param({"data": {"sessionId": 1}}, id="data is an object"),
    ],
)
def test_what_is_no_page_is_refused(body: object) -> None:
    with pytest.raises(UndecodableAnswer):
        decode_charging_bills(body)


@pytest.mark.parametrize(
    ("total", "received", "is_last"),
    [
        pytest.param(3, 2, False, id="some are missing"),
        pytest.param(3, 3, True, id="all have come"),
        pytest.param(None, 3, False, id="Tesla does not say how many"),
        pytest.param("many", 3, False, id="Tesla does not say it in numbers"),
    ],
)
def test_pages_follow_until_all_records_have_come(
    total: object, received: int, is_last: bool
) -> None:
    decoded = decode_charging_bills(page(RECORD, totalResults=total))
    assert decoded.is_last(received) is is_last


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*RECORD, "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([{"a": 1}]),
    )
)
def test_a_damaged_record_is_a_bill_or_refused(damage: dict[str, object]) -> None:
    decoded = decode_charging_bills(page(RECORD | damage))
    assert decoded.bills.height + len(decoded.rejected) == 1


def test_all_bills_of_a_simulated_year_decode() -> None:
    fleet = Fleet()
    start_s, end_s = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2025, 2026))
    sessions = supercharger_sessions(fleet, fleet.cars, start_s, end_s, end_s)
    decoded = decode_charging_bills(page(*sessions))
    assert decoded.bills.height == len(sessions) > 10
    assert decoded.rejected == ()
