"""Costs of sessions to the cent, each against the calculation that stands beside it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl

from tessie_pipeline.domain.charging_costs import NO_BILLS, cost_signatures, session_costs
from tessie_pipeline.domain.cost_lines import cost_lines
from tessie_pipeline.domain.tariffs import Season, Tariff
from tessie_pipeline_tests.domain.priced import (
    NIGHT,
    WORKDAYS,
    bill,
    buy,
    cost,
    costs,
    local,
    pieces,
    sell,
    session,
    tariff,
)


def test_a_night_tariff_over_midnight() -> None:
    # 20:00-22:00: 8 kWh x 0.35 = 2.80; 22:00-4:00: 24 kWh x 0.22 = 5.28.
    lines, total = costs(NIGHT, ("2026-06-01T20:00", "2026-06-02T04:00", 32.0))
    assert [(line["energy_kwh"], line["buy_price"], line["amount_grid"]) for line in lines] == [
        (8.0, Decimal("0.35"), Decimal("2.80")),
        (24.0, Decimal("0.22"), Decimal("5.28")),
    ]
    assert [(line["start"], line["end"]) for line in lines] == [
        (local("2026-06-01T20:00"), local("2026-06-01T22:00")),
        (local("2026-06-01T22:00"), local("2026-06-02T04:00")),
    ]
    assert {line["kind"] for line in lines} == {"energy"}
    assert {line["tariff_id"] for line in lines} == {NIGHT.tariff_id}
    assert total["cost_grid"] == total["cost_solar"] == Decimal("8.08")
    assert (total["currency"], total["reason"]) == ("EUR", None)


def test_a_weekend_that_begins_at_midnight() -> None:
    # 5 June 2026 is a Friday: 2 h x 7.4 kW x 0.38 = 5.624, then 1 h x 7.4 kW x 0.25 = 1.85.
    weekdays = tariff(buy("0.38", weekdays=WORKDAYS), buy("0.25"))
    assert cost(weekdays, ("2026-06-05T22:00", "2026-06-06T01:00", 22.2)) == "7.47"


def test_a_change_of_season() -> None:
    # 30 September 23:00 to 1 October 2:00 at 11 kW: 11 x 0.28 + 22 x 0.34 = 3.08 + 7.48.
    seasonal = tariff(buy("0.28", season=Season((4, 1), (9, 30))), buy("0.34"))
    assert cost(seasonal, ("2026-09-30T23:00", "2026-10-01T02:00", 33.0)) == "10.56"


def test_the_night_in_spring_in_which_the_clock_skips_an_hour() -> None:
    # 28 March 21:00 to 29 March 7:00 is 9 h: 1 h day, 7 h night, 1 h day at 4 kW:
    # 4 x 0.35 + 28 x 0.22 + 4 x 0.35 = 1.40 + 6.16 + 1.40.
    assert cost(NIGHT, ("2026-03-28T21:00", "2026-03-29T07:00", 36.0)) == "8.96"


def test_the_night_in_autumn_in_which_the_clock_repeats_an_hour() -> None:
    # 24 October 21:00 to 25 October 7:00 is 11 h: 4 x 0.35 + 9 h x 4 x 0.22 + 4 x 0.35.
    assert cost(NIGHT, ("2026-10-24T21:00", "2026-10-25T07:00", 44.0)) == "10.72"


def test_a_session_over_new_year_under_two_versions_of_its_tariff() -> None:
    # 22:00 to 3:00 at 10 kW: 20 x 0.3150 + 30 x 0.3325 = 6.30 + 9.975 = 16.275, half a cent up.
    old = tariff(buy("0.315"))
    new = tariff(buy("0.3325"), valid_from=date(2027, 1, 1))
    lines, total = costs([old, new], ("2026-12-31T22:00", "2027-01-01T03:00", 50.0))
    assert [line["tariff_id"] for line in lines] == [old.tariff_id, new.tariff_id]
    assert str(total["cost_grid"]) == "16.28"


def test_a_negative_price_pays_and_half_a_cent_is_rounded_away_from_zero() -> None:
    # 15 kWh x -0.0217 = -0.3255; 15 kWh x -0.021 = -0.315, which is -0.32.
    assert cost(tariff(buy("-0.0217")), ("2026-06-01T12:00", "2026-06-01T14:00", 15.0)) == "-0.33"
    assert cost(tariff(buy("-0.021")), ("2026-06-01T12:00", "2026-06-01T14:00", 15.0)) == "-0.32"


def test_a_price_of_zero_costs_nothing() -> None:
    lines, total = costs(tariff(buy("0")), ("2026-06-01T12:00", "2026-06-01T14:00", 15.0))
    assert (len(lines), total["cost_grid"], total["reason"]) == (1, 0, None)


def test_a_price_by_the_minute_is_for_the_time_of_charging_and_a_fee_is_paid_once() -> None:
    # 25 + 10.5 minutes x 0.12 = 4.26, and 0.50 for the session.
    car_park = tariff(buy("0.12", unit="minute"), session_fee=Decimal("0.5"))
    lines, total = costs(
        car_park,
        ("2026-06-01T12:00", "2026-06-01T12:25", 4.0),
        ("2026-06-01T13:00", "2026-06-01T13:10:30", 1.5),
    )
    assert [(line["kind"], line["minutes"], line["energy_kwh"]) for line in lines] == [
        ("time", 35.5, 5.5),
        ("fee", None, None),
    ]
    assert [line["amount_grid"] for line in lines] == [Decimal("4.26"), Decimal("0.5")]
    assert str(total["cost_grid"]) == "4.76"


def test_solar_energy_costs_what_its_export_would_have_earned() -> None:
    # 12 kWh x 0.35 = 4.20; with 9 of them from the sun 3 x 0.35 + 9 x 0.08 = 1.05 + 0.72.
    lines, total = costs(NIGHT, ("2026-06-01T11:00", "2026-06-01T13:00", 12.0, 9.0))
    assert [(line["solar_kwh"], line["grid_kwh"]) for line in lines] == [(9.0, 3.0)]
    assert lines[0]["sell_price"] == Decimal("0.08")
    assert (str(total["cost_grid"]), str(total["cost_solar"])) == ("4.20", "1.77")


def test_the_solar_part_of_a_piece_is_divided_as_its_energy_is() -> None:
    # 4 kWh, 2 solar, half before 22:00: 1 x 0.35 + 1 x 0.08 + 1 x 0.22 + 1 x 0.08 = 0.73.
    _, total = costs(NIGHT, ("2026-06-01T21:00", "2026-06-01T23:00", 4.0, 2.0))
    assert str(total["cost_solar"]) == "0.73"


def test_a_third_of_a_kilowatt_hour_does_not_lose_half_a_cent() -> None:
    # 10 kWh over 3 h: 1 h is 10/3 x 0.30 = 1, 2 h are 20/3 x 0.24075 = 1.605, together 2.605.
    thirds = tariff(buy("0.3", "21:00", "22:00"), buy("0.24075"))
    lines, total = costs(thirds, ("2026-06-01T21:00", "2026-06-02T00:00", 10.0))
    assert [line["energy_kwh"] for line in lines] == [3.333333333, 6.666666667]
    assert str(total["cost_grid"]) == "2.61"


def test_a_moment_without_a_price_leaves_the_cost_empty_and_says_why() -> None:
    office = tariff(buy("0.3", "08:00", "18:00"), name="Office")
    lines, total = costs(office, ("2026-06-01T17:00", "2026-06-01T19:00", 8.0))
    assert [(line["energy_kwh"], line["amount_grid"]) for line in lines] == [
        (4.0, Decimal("1.2")),
        (4.0, None),
    ]
    assert (total["cost_grid"], total["cost_solar"]) == (None, None)
    assert total["reason"] == "tariff Office has no price to buy at 2026-06-01 16:00 UTC"


def test_a_missing_price_for_export_leaves_only_the_cost_with_solar_empty() -> None:
    no_export = tariff(buy("0.3"), replace(sell("0.1"), weekdays=frozenset({7})), name="Flat")
    drawn = ("2026-06-01T12:00", "2026-06-01T13:00", 8.0)
    assert costs(no_export, drawn)[1]["cost_solar"] == Decimal("2.4")
    _, total = costs(no_export, (*drawn, 1.0))
    assert (total["cost_grid"], total["cost_solar"]) == (Decimal("2.4"), None)
    assert total["reason"] == "tariff Flat has no price to sell at 2026-06-01 10:00 UTC"


def test_a_session_without_a_tariff_or_under_an_unknown_one_costs_nobody_knows_what() -> None:
    drawn = pieces(("2026-06-01T20:00", "2026-06-01T21:00", 7.0))
    for name, reason in [
        (None, "no tariff is known for it"),
        ("Gone", "tariff Gone has no price to buy at 2026-06-01 18:00 UTC"),
    ]:
        lines = cost_lines(session(name), drawn, [NIGHT])
        assert lines["energy_kwh"].to_list() == [7.0]
        assert session_costs(session(name), lines).row(0)[2:] == (None, None, None, reason)
    assert session_costs(session(None), lines.clear())["reason"].item() == (
        "no tariff is known for it"
    )


def test_energy_that_is_not_known_leaves_the_cost_empty_and_says_so() -> None:
    drawn = pieces(("2026-06-01T20:00", "2026-06-01T21:00", 7.0)).with_columns(
        energy_kwh=pl.lit(None, pl.Float64)
    )
    total = session_costs(session(), cost_lines(session(), drawn, [NIGHT]))
    assert total["cost_grid"].item() is None
    assert total["reason"].item() == "the energy drawn at 2026-06-01 18:00 UTC is not known"


def test_a_plug_in_without_a_charge_costs_nothing_not_even_the_fee() -> None:
    with_fee = replace(NIGHT, session_fee=Decimal(1))
    lines, total = costs(with_fee)
    assert (lines, total["cost_grid"], total["cost_solar"]) == ([], 0, 0)


def test_amounts_in_two_currencies_have_no_sum() -> None:
    kuna = tariff(buy("2.5"), currency="HRK")
    euro = tariff(buy("0.33"), valid_from=date(2023, 1, 1))
    _, total = costs([kuna, euro], ("2022-12-31T23:00", "2023-01-01T01:00", 2.0))
    assert (total["cost_grid"], total["currency"]) == (None, None)
    assert total["reason"] == "its lines are in several currencies"


def test_a_bill_that_does_not_say_what_is_due_leaves_the_cost_empty() -> None:
    _, total = costs(NIGHT, bills=bill(("CHARGING", 41, "kwh", "0.43", None)))
    assert (total["cost_grid"], total["reason"]) == (None, "its bill does not say what is due")


def signature(
    versions: Sequence[Tariff], name: str = "Home", bills: pl.DataFrame = NO_BILLS
) -> str:
    """Of a session from 1 June 20:00 to 2 June 20:00."""
    found: str = cost_signatures(session(name), versions, bills)["signature"].item()
    return found


def test_a_signature_changes_with_the_versions_in_force_and_with_nothing_else() -> None:
    base = tariff(buy("0.30"), buy("0.2"))
    before = signature([base])
    later = tariff(buy("0.4"), valid_from=date(2026, 6, 3))
    second_day = tariff(buy("0.4"), valid_from=date(2026, 6, 2))
    same = [
        [tariff(buy("0.3"), buy("0.2"))],
        [base, later],
        [replace(base, valid_to=date(2026, 6, 3)), later],
        [base, replace(base, name="Other", rates=later.rates)],
    ]
    other = [
        [],
        [base, second_day],
        [base, replace(second_day, valid_from=date(2026, 1, 1))],
        [replace(base, valid_to=date(2026, 6, 2))],
        [replace(base, rates=base.rates[::-1])],
        [replace(base, session_fee=Decimal("0.1"))],
        [replace(base, currency="USD")],
        [replace(base, time_zone="Europe/Kyiv")],
    ]
    assert [signature(versions) for versions in same] == [before] * len(same)
    assert len({before, *map(signature, other)}) == 1 + len(other)
    assert signature([base], "Other") != before


def test_a_signature_under_a_bill_is_that_of_the_bill_alone() -> None:
    base = tariff(buy("0.3"))
    fees = [("CHARGING", 41.0, "kwh", "0.43", "17.63"), ("PARKING", 3.0, "min", "1", "3")]
    billed = signature([base], bills=bill(*fees))
    assert billed == signature([], bills=bill(*fees[::-1]))
    assert billed not in (signature([base]), signature([base], bills=bill(fees[0])))
