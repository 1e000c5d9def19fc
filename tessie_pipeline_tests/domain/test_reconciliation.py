"""The energies of plug-ins side by side, with figures that owners have reported, and by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tessie_pipeline.domain.charging_costs import BILLS, COSTED_PIECES, COSTED_SESSIONS
from tessie_pipeline.domain.charging_matches import (
    BILL_MATCHES,
    CHARGE_MATCHES,
    MATCHED_CHARGES,
)
from tessie_pipeline.domain.cost_lines import cost_lines
from tessie_pipeline.domain.reconciliation import (
    BILL_FEES,
    METERED_SESSIONS,
    billed_fees,
    reconciled,
)

CAR, HOME = "0a" * 16, "0c" * 16
START = datetime(2026, 7, 1, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)
MATCHES = pl.DataFrame(
    [{"session_id": 1, "vehicle_id": CAR, "session_started_at": START}], BILL_MATCHES
)


def fee(**other: Any) -> dict[str, Any]:
    """A fee of bill 1 for 36 kWh at 0.49 EUR, 17.64 EUR, paid."""
    return {
        "session_id": 1,
        "fee_type": "CHARGING",
        "currency": "EUR",
        "pricing_type": "PAYMENT",
        "uom": "kwh",
        "rate_base": 0.49,
        "usage_base": 36.0,
        "total_due": 17.64,
        "net_due": 17.64,
        "is_paid": True,
    } | other


def fees(*of: dict[str, Any]) -> pl.DataFrame:
    return billed_fees(MATCHES, pl.DataFrame(list(of), BILL_FEES))


def energies(
    connector_kwh: tuple[float, ...] = (),
    billed_kwh: float | None = None,
    *,
    is_later_known: bool = True,
    **known: Any,
) -> dict[str, Any]:
    """The reconciliation of a plug-in of an hour, measured throughout unless it is said otherwise.

    The wall connector has given a later charge, to whomever, unless it has not.
    """
    later = {"site_id": HOME, "din": "0", "started_at": START + HOUR, "energy_wh": 1000.0}
    usual = {"energy_used_coverage_pct": 100.0, "is_inferred": False, "status": "completed"}
    session = {"vehicle_id": CAR, "started_at": START, "ended_at": START + HOUR} | usual | known
    keys = [{"site_id": HOME, "din": str(n), "started_at": START} for n in range(9)]
    charges = [
        key | {"energy_wh": 1000 * kwh} for key, kwh in zip(keys, connector_kwh, strict=False)
    ]
    matched = [key | {"vehicle_id": CAR, "session_started_at": START} for key in keys]
    bills = [] if billed_kwh is None else [fee(usage_base=billed_kwh)]
    (found,) = reconciled(
        pl.DataFrame([session], METERED_SESSIONS),
        fees(*bills),
        pl.DataFrame([*charges, *[later] * is_later_known], MATCHED_CHARGES),
        pl.DataFrame(matched, CHARGE_MATCHES),
    ).to_dicts()
    return found


def test_a_bill_becomes_the_fees_of_its_plug_in() -> None:
    # 7 minutes idle: 4 at 2.50 and 3 at 5.00 are 25.00, of which a minute costs 25 / 7 = 3.571429.
    idle = fee(
        fee_type="PARKING", uom="min", rate_base=None, usage_base=None, is_paid=False,
        rate_tier_1=2.5, usage_tier_1=4.0, rate_tier_2=5.0, usage_tier_2=3.0,
        total_due=25.0, net_due=25.0,
    )  # fmt: skip
    assert fees(fee(), idle, fee(session_id=2)).to_dicts() == [
        dict(
            zip(
                BILLS,
                (
                    CAR,
                    START,
                    "CHARGING",
                    "EUR",
                    36.0,
                    "kwh",
                    Decimal("0.49"),
                    Decimal("17.64"),
                    True,
                ),
                strict=True,
            )
        ),
        dict(
            zip(
                BILLS,
                (CAR, START, "PARKING", "EUR", 7.0, "min", Decimal("3.571429"), Decimal(25), False),
                strict=True,
            )
        ),
    ]


@pytest.mark.parametrize(
    ("known", "due"),
    [
        pytest.param({"net_due": 10.0}, Decimal(10), id="credited in part"),
        pytest.param({"net_due": 0.0}, Decimal(0), id="free supercharging"),
        pytest.param({"net_due": None}, Decimal("17.64"), id="nothing said of credits"),
        pytest.param(
            {"net_due": None, "total_due": None, "pricing_type": "NO_CHARGE"},
            Decimal(0),
            id="not charged",
        ),
        pytest.param({"net_due": None, "total_due": None}, None, id="not known"),
    ],
)
def test_what_is_due_remains_after_credits(known: dict[str, Any], due: Decimal | None) -> None:
    assert fees(fee(**known))["total_due"].item() == due


def test_a_fee_of_which_nothing_was_counted_has_no_quantity() -> None:
    (found,) = fees(fee(usage_base=None)).to_dicts()
    assert (found["quantity"], found["rate"]) == (None, Decimal("0.49"))


def test_a_free_minute_has_no_mean_price() -> None:
    (found,) = fees(fee(fee_type="PARKING", uom="min", rate_base=0.0, usage_base=0.0)).to_dicts()
    assert (found["quantity"], found["rate"]) == (0.0, Decimal(0))


def test_costs_take_the_fees_as_they_are() -> None:
    session = {"vehicle_id": CAR, "session_started_at": START}
    lines = cost_lines(
        pl.DataFrame([session], COSTED_SESSIONS),
        COSTED_PIECES.to_frame(),
        [],
        bills=fees(fee(), fee(fee_type="CONGESTION", uom="min", usage_base=3.0, net_due=3.0)),
    )
    assert lines.select("kind", "amount_grid").rows() == [
        ("bill", Decimal("17.64")),
        ("congestion_fee", Decimal(3)),
    ]


# Billed at Superchargers, and what a logger measured there (anchors.md section 5).
@pytest.mark.parametrize(
    ("billed", "used", "apart_pct", "is_odd"),
    [
        (36.0, 30.6, 15.0, True),  # 5.4 of 36
        (36.0, 35.8, 0.6, False),  # 0.2 of 36
        (49.0, 43.4, 11.4, True),  # 5.6 of 49
        (47.0, 41.1, 12.6, True),  # 5.9 of 47
        (11.0, 9.6, 12.7, True),  # 1.4 of 11
        (11.0, 10.1, 8.2, False),  # 0.9 of 11: less than a kWh
        (30.0, 36.0, -20.0, True),  # billed less than was drawn
    ],
)
def test_a_bill_is_within_five_percent_of_what_was_drawn(
    billed: float, used: float, apart_pct: float, is_odd: bool
) -> None:
    found = energies(billed_kwh=billed, energy_used_kwh=used)
    assert found["billed_less_used_kwh"] == pytest.approx(billed - used)
    assert found["billed_less_used_pct"] == pytest.approx(apart_pct, abs=0.05)
    assert (found["oddity"] is not None) == is_odd


def test_an_oddity_is_a_sentence_with_its_numbers() -> None:
    found = energies(billed_kwh=36.0, energy_used_kwh=30.6, energy_added_kwh=29.0)
    assert found["oddity"] == "billed 36.0 kWh, from the wall 30.6 kWh: 5.4 kWh apart (15.0 %)"
    # 5 % of 36 are 1.8, and 5.4 - 1.8 are 3.6.
    assert found["odd_kwh"] == pytest.approx(3.6)


@pytest.mark.parametrize(
    ("used", "added", "lost_pct", "is_odd"),
    [
        (12.5, 11.5, 8.0, False),
        (10.0, 10.9, -9.0, False),  # won, but less than a kWh
        (10.0, 11.1, -11.0, True),
        (10.0, 7.1, 29.0, False),
        (10.0, 6.9, 31.0, True),
    ],
)
def test_some_energy_is_lost_before_the_battery_and_none_is_won(
    used: float, added: float, lost_pct: float, is_odd: bool
) -> None:
    found = energies(energy_used_kwh=used, energy_added_kwh=added)
    assert found["used_less_added_pct"] == pytest.approx(lost_pct)
    assert (found["oddity"] is not None) == is_odd


def test_a_wall_connector_gives_all_that_is_drawn_preheating_too() -> None:
    # It gave 8 + 3 = 11 kWh; 9 went into charging, 2 into the cabin.
    found = energies((8.0, 3.0), energy_used_kwh=9.0, idle_energy_used_kwh=2.0)
    assert found["connector_kwh"] == pytest.approx(11)
    assert found["connector_less_used_kwh"] == pytest.approx(0)
    assert found["oddity"] is None
    found = energies((8.0, 3.0), energy_used_kwh=9.0)
    assert found["connector_less_used_kwh"] == pytest.approx(2)
    assert found["connector_less_used_pct"] == pytest.approx(100 * 2 / 11)
    assert (
        found["oddity"] == "wall connector 11.0 kWh, from the wall 9.0 kWh: 2.0 kWh apart (18.2 %)"
    )


def test_what_was_measured_in_part_is_not_judged_but_the_counter_is() -> None:
    part: dict[str, Any] = {"energy_used_kwh": 4.0, "energy_used_coverage_pct": 40.0}
    assert energies((11.0,), energy_added_kwh=10.0, **part)["oddity"] is None
    assert energies(billed_kwh=36.0, energy_added_kwh=33.0, **part)["oddity"] is None
    found = energies((11.0,), energy_added_kwh=14.0, **part)
    assert found["oddity"] == (
        "wall connector 11.0 kWh, into the battery 14.0 kWh: 3.0 kWh apart (27.3 %)"
    )
    assert found["odd_kwh"] == pytest.approx(3)


def test_a_charge_that_nobody_saw_is_known_by_whole_percents_only() -> None:
    seen: dict[str, Any] = {"energy_added_kwh": 37.5, "energy_used_coverage_pct": None}
    assert energies(billed_kwh=36.0, **seen)["oddity"] is not None
    assert energies(billed_kwh=36.0, is_inferred=True, **seen)["oddity"] is None
    assert energies(billed_kwh=35.0, is_inferred=True, **seen)["oddity"] is not None


def test_a_plug_in_that_lasts_is_not_judged_yet() -> None:
    lasting = energies(energy_used_kwh=10.0, energy_added_kwh=14.0, status="in_progress")
    assert (lasting["oddity"], lasting["odd_kwh"]) == (None, 0)
    assert lasting["used_less_added_kwh"] == pytest.approx(-4)


def test_a_wall_connector_is_not_judged_before_a_later_charge_is_known() -> None:
    # The first charge of the plug-in is known, the second one not yet.
    early = energies((3.0,), energy_used_kwh=12.0, is_later_known=False)
    assert (early["connector_kwh"], early["oddity"]) == (3, None)
    assert energies((3.0,), energy_used_kwh=12.0)["oddity"] is not None


def test_a_meter_that_counted_nothing_has_no_share() -> None:
    found = energies((0.0,), energy_used_kwh=12.0)
    assert found["oddity"] == "wall connector 0.0 kWh, from the wall 12.0 kWh: 12.0 kWh apart"
    assert found["connector_less_used_pct"] is None


def test_what_is_not_known_is_null_and_not_odd() -> None:
    found = energies(energy_added_kwh=10.0, energy_used_coverage_pct=None)
    assert found["billed_kwh"] is found["connector_kwh"] is found["oddity"] is None


def test_every_oddity_is_told() -> None:
    found = energies((20.0,), energy_used_kwh=10.0, energy_added_kwh=14.0)
    assert found["oddity"] == (
        "from the wall 10.0 kWh, into the battery 14.0 kWh: 4.0 kWh apart (40.0 %); "
        "wall connector 20.0 kWh, from the wall 10.0 kWh: 10.0 kWh apart (50.0 %)"
    )
    # The connector is 10 - 5 % of 20 = 9 beyond what is allowed, the battery 4.
    assert found["odd_kwh"] == pytest.approx(9)


def test_a_bill_by_the_minute_tells_no_energy() -> None:
    by_minute = fees(fee(uom="min"))
    (found,) = reconciled(
        pl.DataFrame([{"vehicle_id": CAR, "started_at": START}], METERED_SESSIONS),
        by_minute,
        MATCHED_CHARGES.to_frame(),
        CHARGE_MATCHES.to_frame(),
    ).to_dicts()
    assert found["billed_kwh"] is None
