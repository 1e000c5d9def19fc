"""Attribution by hand: a car of 11 kW at a home, mostly in one interval of five minutes.

In it the car takes 800 Wh and the home 200 Wh; solar gives 300 Wh to both, the battery 400 Wh and
the grid 300 Wh. What the battery gives is a quarter solar and three quarters from the grid.
"""

from collections.abc import Mapping
from datetime import datetime

import polars as pl
import pytest

from tessie_pipeline.domain.attribution import attributed_parts, charging_attribution
from tessie_pipeline.domain.attribution_daily import daily_attribution
from tessie_pipeline.domain.attribution_frames import ATTRIBUTED_PARTS, NO_MIX
from tessie_pipeline.domain.attribution_policies import (
    EV_LAST,
    POLICIES,
    PROPORTIONAL,
    SHARES,
    SOLAR_TO_EV_FIRST,
)
from tessie_pipeline.domain.battery import ledger
from tessie_pipeline.domain.battery_frames import BATTERY_MIX
from tessie_pipeline.domain.charging_frames import CHARGING_PIECES
from tessie_pipeline.domain.prices import INTERVAL_PRICES
from tessie_pipeline_tests.domain.battery_rows import (
    MIDNIGHT,
    STEP,
    Row,
    batteries,
    intervals,
    windows,
)

HOME: Row = {
    "solar_to_home_wh": 300.0,
    "battery_to_home_wh": 400.0,
    "grid_to_home_wh": 300.0,
    "home_wh": 1000.0,
}
MIXED = {"solar_share": 0.25, "grid_share": 0.75, "generator_share": 0.0, "unknown_share": 0.0}


def piece(
    energy_kwh: float | None = 0.8,
    start: datetime = MIDNIGHT,
    end: datetime = MIDNIGHT + STEP,
    car: str = "car",
    site: str | None = "home",
) -> dict[str, object]:
    return {
        "vehicle_id": car,
        "session_started_at": MIDNIGHT,
        "start": start,
        "end": end,
        "energy_kwh": energy_kwh,
        "site_id": site,
    }


def pieces(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, {**CHARGING_PIECES, "site_id": pl.String()})


def mixes(*rows: Mapping[str, float]) -> pl.DataFrame:
    full = [
        {"site_id": "home", "timestamp": MIDNIGHT + number * STEP} | dict(row)
        for number, row in enumerate(rows)
    ]
    return pl.DataFrame(full, BATTERY_MIX)


def split(policy: str, *drawn: dict[str, object], home: Row = HOME) -> dict[str, float]:
    """What is said of each origin, in Wh, of all the pieces together."""
    parts = attributed_parts(pieces(*(drawn or (piece(),))), intervals(home), mixes(MIXED))
    columns = [*(f"{share}_kwh" for share in SHARES), "unattributed_kwh"]
    sums = parts.filter(policy=policy).select(pl.col(columns).sum() * 1000).row(0, named=True)
    return {name.removesuffix("_kwh"): value for name, value in sums.items() if value}


def test_in_proportion_the_car_takes_eight_tenths_of_every_source() -> None:
    # Of 300 solar 240; of 400 battery 320, a quarter 80 and the rest 240; of 300 grid 240.
    assert split(PROPORTIONAL) == pytest.approx(
        {
            "from_solar": 240,
            "from_battery_solar": 80,
            "from_battery_grid": 240,
            "from_grid": 240,
        }
    )


def test_as_the_last_the_car_takes_what_the_home_leaves() -> None:
    # The home takes 200 of solar; 100 of it, all of 400 from the battery and 300 remain.
    assert split(EV_LAST) == pytest.approx(
        {
            "from_solar": 100,
            "from_battery_solar": 100,
            "from_battery_grid": 300,
            "from_grid": 300,
        }
    )


def test_with_solar_first_the_car_takes_it_all_and_then_the_battery() -> None:
    # 300 of solar, 400 from the battery and 100 from the grid, which gives the home its 200.
    assert split(SOLAR_TO_EV_FIRST) == pytest.approx(
        {
            "from_solar": 300,
            "from_battery_solar": 100,
            "from_battery_grid": 300,
            "from_grid": 100,
        }
    )


def test_as_the_last_the_car_leaves_solar_to_a_battery_that_the_grid_charges() -> None:
    home = {"solar_to_home_wh": 300.0, "grid_to_home_wh": 700.0, "grid_to_battery_wh": 60.0}
    # Of the 100 that the home leaves, 60 could have gone to the battery.
    assert split(EV_LAST, home=home) == pytest.approx({"from_solar": 40, "from_grid": 760})
    assert split(PROPORTIONAL, home=home) == pytest.approx({"from_solar": 240, "from_grid": 560})


def test_a_generator_comes_before_the_grid() -> None:
    home = {"solar_to_home_wh": 100.0, "generator_to_home_wh": 500.0, "grid_to_home_wh": 400.0}
    assert split(EV_LAST, home=home) == pytest.approx({"from_generator": 400, "from_grid": 400})
    assert split(SOLAR_TO_EV_FIRST, home=home) == pytest.approx(
        {"from_solar": 100, "from_generator": 500, "from_grid": 200}
    )


def test_without_a_ledger_what_the_battery_gave_is_of_unknown_origin() -> None:
    parts = attributed_parts(pieces(piece()), intervals(HOME), NO_MIX).filter(policy=PROPORTIONAL)
    assert parts["from_battery_unknown_kwh"].to_list() == pytest.approx([0.32])
    assert parts["solar_kwh"].to_list() == pytest.approx([0.24])


EVCC = {
    # grid, pv, battery, home and car [W], battery > 0 discharging, and the car's green share
    "half grid, half pv, green home": (1000, 1000, 0, 1000, 1000, 0),
    "half grid, half pv, no home": (1000, 1000, 0, 0, 2000, 0.5),
    "half grid, half pv, much car": (2500, 2500, 0, 1000, 4000, 0.375),
    "full pv": (0, 5000, 0, 1000, 4000, 1),
    "full grid": (5000, 0, 0, 1000, 4000, 0),
    "half grid, half battery, green home": (1000, 0, 1000, 1000, 1000, 0),
    "half grid, half battery, no home": (1000, 0, 1000, 0, 2000, 0.5),
    "half grid, half battery, much car": (2500, 0, 2500, 1000, 4000, 0.375),
    "full pv, pv export": (-5000, 10000, 0, 1000, 4000, 1),
    "full pv, pv export, battery charge": (-2500, 10000, -2500, 1000, 4000, 1),
    "full grid, battery charge": (3000, 0, -1000, 1000, 1000, 0),
    "half grid, half pv, battery charge, home, car": (1000, 1000, -1000, 500, 500, 0),
    "pv ac limited, battery charge & grid import": (1000, 3000, -1000, 1000, 2000, 0.5),
}
"""The cases with a charging car of evcc's own tests of its green share (TestGreenShare)."""


@pytest.mark.parametrize(("grid", "pv", "battery", "home", "car", "green"), EVCC.values(), ids=EVCC)
def test_as_the_last_the_car_is_as_green_as_evcc_says(
    grid: float, pv: float, battery: float, home: float, car: float, green: float
) -> None:
    """Tesla's flows of the same powers: solar to the loads, then the battery, then the grid."""
    loads, charging = home + car, max(0.0, -battery)
    to_home, from_battery = min(pv, loads), max(0.0, battery)
    to_battery = min(pv - to_home, charging)
    flows = {
        "solar_to_home_wh": to_home / 12,
        "solar_to_battery_wh": to_battery / 12,
        "battery_to_home_wh": from_battery / 12,
        "grid_to_home_wh": (loads - to_home - from_battery) / 12,
        "grid_to_battery_wh": (charging - to_battery) / 12,
        "solar_to_grid_wh": max(0, -grid) / 12,
    }
    # evcc takes all that a battery gives as green.
    got = split(EV_LAST, piece(car / 12_000), home=flows)
    its_green = sum(value for name, value in got.items() if name != "from_grid")
    assert its_green / (car / 12) == pytest.approx(green)


def test_a_battery_charged_at_night_gives_the_car_no_solar_in_the_evening() -> None:
    night: Row = {"soc_pct": 5.0, "grid_to_battery_wh": 500.0}
    evening: Row = {"battery_to_home_wh": 450.0, "grid_to_home_wh": 50.0}
    home = intervals({"soc_pct": 0.0}, night, evening)
    mix = ledger(home, batteries(), windows()).mix
    drawn = pieces(piece(0.4, MIDNIGHT + 2 * STEP, MIDNIGHT + 3 * STEP))
    for row in charging_attribution(attributed_parts(drawn, home, mix)).iter_rows(named=True):
        assert row["solar_kwh"] == row["solar_pct"] == 0
        # As the last it takes 350 of 450, in proportion 360, as the first 400.
        assert row["from_battery_grid_kwh"] >= 0.349
        assert row["coverage_pct"] == pytest.approx(100)


@pytest.mark.parametrize("policy", POLICIES)
def test_two_cars_share_in_proportion_to_what_they_draw(policy: str) -> None:
    drawn = pieces(piece(0.6, car="large"), piece(0.2, car="small"))
    parts = attributed_parts(drawn, intervals(HOME), mixes(MIXED)).filter(policy=policy)
    origins = parts.select(f"{share}_kwh" for share in SHARES)
    together = split(policy)
    for share in SHARES:
        large, small = origins[f"{share}_kwh"]
        assert large == pytest.approx(0.75 * together.get(share, 0) / 1000)
        assert small == pytest.approx(0.25 * together.get(share, 0) / 1000)


def test_what_cars_draw_beyond_what_the_home_took_is_unattributed() -> None:
    # 1250 of the car to 1000 of the home.
    assert split(EV_LAST, piece(1.25)) == pytest.approx(
        {
            "from_solar": 300,
            "from_battery_solar": 100,
            "from_battery_grid": 300,
            "from_grid": 300,
            "unattributed": 250,
        }
    )


def test_what_was_drawn_while_the_site_was_not_measured_is_unattributed() -> None:
    # Six tenths of 500 are 300, of a home of 1000: three tenths of every source.
    home = {**HOME, "coverage": 0.6}
    assert split(PROPORTIONAL, piece(0.5), home=home) == pytest.approx(
        {
            "from_solar": 90,
            "from_battery_solar": 30,
            "from_battery_grid": 90,
            "from_grid": 90,
            "unattributed": 200,
        }
    )


def test_an_interval_that_is_missing_has_no_split_and_lowers_the_coverage() -> None:
    drawn = pieces(piece(1.6, end=MIDNIGHT + 2 * STEP))
    parts = attributed_parts(drawn, intervals(HOME), mixes(MIXED))
    assert parts.filter(policy=EV_LAST)["from_solar_kwh"].to_list() == pytest.approx([0.1, None])
    session = charging_attribution(parts).filter(policy=EV_LAST).row(0, named=True)
    assert session["energy_kwh"] == pytest.approx(1.6)
    assert session["unattributed_kwh"] == pytest.approx(0.8)
    assert session["coverage_pct"] == pytest.approx(50)
    # 100 directly and 100 through the battery, of 800 that were measured.
    assert session["solar_kwh"] == pytest.approx(0.2)
    assert session["solar_pct"] == pytest.approx(25)


def test_a_charge_that_nothing_measured_has_no_split() -> None:
    session = charging_attribution(attributed_parts(pieces(piece()), intervals(), NO_MIX))
    assert session["policy"].to_list() == sorted(POLICIES)
    assert session["coverage_pct"].to_list() == [0, 0, 0]
    assert session["solar_kwh"].to_list() == session["solar_pct"].to_list() == [None] * 3


def test_energy_that_is_not_known_has_no_split() -> None:
    parts = attributed_parts(pieces(piece(None)), intervals(HOME), mixes(MIXED))
    assert parts["from_grid_kwh"].null_count() == parts["unattributed_kwh"].null_count() == 3


def test_a_part_without_energy_took_nothing() -> None:
    session = charging_attribution(
        attributed_parts(pieces(piece(0.0)), intervals(HOME), mixes(MIXED))
    )
    assert session["solar_kwh"].to_list() == [0, 0, 0]


def test_charges_elsewhere_have_parts_but_no_attribution() -> None:
    parts = attributed_parts(pieces(piece(site=None)), intervals(HOME), mixes(MIXED))
    assert parts["unattributed_kwh"].to_list() == [0.8] * 3
    assert charging_attribution(parts).is_empty()


def test_pieces_are_cut_at_five_minutes_and_share_their_energy_by_time() -> None:
    half = STEP / 2
    drawn = pieces(piece(0.8, MIDNIGHT + half, MIDNIGHT + 2 * STEP + half))
    parts = attributed_parts(drawn, intervals(HOME), mixes(MIXED)).filter(policy=EV_LAST)
    # Two and a half of ten minutes, five, and two and a half.
    assert parts["energy_kwh"].to_list() == pytest.approx([0.2, 0.4, 0.2])
    assert parts.schema == ATTRIBUTED_PARTS


def test_a_day_tells_what_the_home_took_without_its_cars() -> None:
    home, mix = intervals(HOME, HOME), mixes(MIXED, MIXED)
    parts = attributed_parts(pieces(piece()), home, mix)
    days = daily_attribution(parts, home, mix, windows()).filter(policy=EV_LAST)
    assert days["vehicle_id"].to_list() == [None, "car"]
    own, car = days.iter_rows(named=True)
    # 200 of solar while the car charges; then 300 solar, 100 and 300 of the battery, 300 grid.
    assert own["energy_kwh"] == pytest.approx(1.2)
    assert own["from_solar_kwh"] == pytest.approx(0.5)
    assert own["from_battery_solar_kwh"] == pytest.approx(0.1)
    assert own["from_grid_kwh"] == pytest.approx(0.3)
    assert own["solar_kwh"] == pytest.approx(0.6)
    assert car["energy_kwh"] == pytest.approx(0.8)
    assert car["solar_kwh"] == pytest.approx(0.2)


def test_a_day_tells_what_was_paid_and_what_solar_would_have_earned() -> None:
    home = intervals(HOME)
    mix = mixes({**MIXED, "solar_cost": 0.1, "grid_cost": 0.3})
    parts = attributed_parts(pieces(piece()), home, mix)
    prices = pl.DataFrame([("home", MIDNIGHT, 0.4, 0.08, "EUR")], INTERVAL_PRICES, orient="row")
    days = daily_attribution(parts, home, mix, windows(), prices).filter(policy=EV_LAST)
    own, car = days.iter_rows(named=True)
    # 300 from the grid at 0.40 and 300 through the battery at 0.30; 100 and 100 of solar.
    assert car["grid_cost"] == pytest.approx(0.3 * 0.4 + 0.3 * 0.3)
    assert car["solar_value"] == pytest.approx(0.1 * 0.08 + 0.1 * 0.1)
    assert car["currency"] == own["currency"] == "EUR"
    # 200 of solar, and nothing that costs.
    assert own["grid_cost"] == 0
    assert own["solar_value"] == pytest.approx(0.2 * 0.08)


def test_a_day_with_a_price_that_is_not_known_has_no_cost() -> None:
    home = intervals(HOME)
    parts = attributed_parts(pieces(piece()), home, NO_MIX)
    days = daily_attribution(parts, home, NO_MIX, windows()).filter(policy=EV_LAST)
    own, car = days.iter_rows(named=True)
    assert car["grid_cost"] is None
    assert own["grid_cost"] == 0
    assert own["solar_value"] is None


def test_a_day_tells_what_of_a_home_no_source_explains() -> None:
    home = intervals({"grid_to_home_wh": 900.0, "home_wh": 1000.0})
    parts = attributed_parts(pieces(piece()), home, NO_MIX)
    own = daily_attribution(parts, home, NO_MIX, windows()).filter(pl.col("vehicle_id").is_null())
    assert own["energy_kwh"].to_list() == pytest.approx([0.2] * 3)
    assert own["unattributed_kwh"].to_list() == pytest.approx([0.1] * 3)
