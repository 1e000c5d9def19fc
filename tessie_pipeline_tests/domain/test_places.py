"""Places around points, and the kinds of chargers, by hand."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.places import PLACES, distance_m, located, place_of


def places(*rows: dict[str, Any]) -> pl.DataFrame:
    """Places of 100 m around 52 N 13 E unless they say otherwise."""
    usual = {"kind": "other", "latitude": 52.0, "longitude": 13.0, "radius_m": 100.0}
    named = [{"name": row["place_id"]} | usual | row for row in rows]
    return pl.DataFrame(named, PLACES)


def points(*at: tuple[float | None, float | None]) -> pl.DataFrame:
    schema = {"latitude": pl.Float64(), "longitude": pl.Float64()}
    return pl.DataFrame(list(at), schema, orient="row")


def found(of: pl.DataFrame, *at: tuple[float | None, float | None]) -> list[str | None]:
    return place_of(points(*at), of).to_list()


def metres(start: tuple[float, float], end: tuple[float, float]) -> float:
    at = pl.DataFrame({"a": start[0], "b": start[1], "c": end[0], "d": end[1]})
    away: float = at.select(distance_m(*map(pl.col, "abcd"))).item()
    return away


@pytest.mark.parametrize(
    ("start", "end", "km"),
    [
        pytest.param((48.8566, 2.3522), (51.5074, -0.1278), 343.5, id="Paris to London"),
        # JFK to LHR is published as 2,999 nautical miles.
        pytest.param((40.6398, -73.7789), (51.4775, -0.4614), 5554, id="New York to London"),
        # A quarter of a meridian is 10,002 km; that is what the metre was made of.
        pytest.param((0.0, 20.0), (90.0, 20.0), 10_002, id="equator to pole"),
        # A degree of the equator is 60 nautical miles of 1,852 m, nearly.
        pytest.param((0.0, 179.5), (0.0, -179.5), 111.3, id="over the antimeridian"),
    ],
)
def test_great_circles_are_as_long_as_published(
    start: tuple[float, float], end: tuple[float, float], km: float
) -> None:
    assert metres(start, end) == pytest.approx(1000 * km, rel=0.005)
    assert metres(end, start) == pytest.approx(metres(start, end))


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_point_is_nowhere_but_where_it_is(latitude: float, longitude: float) -> None:
    here = (latitude, longitude)
    assert metres(here, here) == 0
    # Half of the circumference, 2 pi times 6,371,008.8 m, lies between antipodes.
    assert metres(here, (-latitude, longitude - 180)) == pytest.approx(20_015_115, rel=1e-6)


def test_a_point_is_in_the_place_whose_circle_holds_it() -> None:
    # A degree north is 6,371,008.8 m x pi / 180 = 111,195 m: 0.0008 are 89 m, 0.001 are 111 m.
    # At 52 N a degree east is 0.6157 of that: 0.0014 are 96 m, 0.0015 are 103 m.
    home = places({"place_id": "home"})
    at = [(52.0008, 13.0), (52.001, 13.0), (52.0, 13.0014), (52.0, 13.0015), (51.9992, 13.0)]
    assert found(home, *at) == ["home", None, "home", None, "home"]


def test_the_nearest_place_wins_over_a_smaller_one_farther_off() -> None:
    both = places(
        {"place_id": "town", "radius_m": 5000.0},
        {"place_id": "shop", "latitude": 52.0018, "radius_m": 150.0},
    )
    # 0.0008 from the town's centre and 0.0010 from the shop's, then the other way round.
    assert found(both, (52.0008, 13.0), (52.0010, 13.0)) == ["town", "shop"]


def test_of_places_with_one_centre_the_smaller_wins_then_the_first_by_name() -> None:
    three = places(
        {"place_id": "1", "name": "yard", "radius_m": 300.0},
        {"place_id": "2", "name": "house", "radius_m": 50.0},
        {"place_id": "3", "name": "garage", "radius_m": 50.0},
    )
    assert found(three, (52.0, 13.0), (52.001, 13.0)) == ["3", "1"]


def test_points_without_coordinates_are_in_no_place_and_the_order_is_kept() -> None:
    home = places({"place_id": "home"})
    at = [(None, 13.0), (52.0, 13.0), (52.0, None), (None, None), (52.0, 13.0)]
    assert found(home, *at) == [None, "home", None, None, "home"]
    assert found(places(), *at) == [None] * 5
    assert found(home) == []


def test_a_place_on_the_antimeridian_reaches_over_it() -> None:
    # 0.0008 of a degree at the equator are 89 m.
    taveuni = places({"place_id": "hotel", "latitude": 0.0, "longitude": 179.9996})
    assert found(taveuni, (0.0, -179.9996), (0.0, 179.9996)) == ["hotel", "hotel"]


AC = {"fast_charger_type": "ACSingleWireCAN", "conn_charge_cable": "IEC", "is_dc": False}
IEC = {"conn_charge_cable": "IEC", "is_dc": False}
DC = {"is_dc": True}
KNOWN = places(
    {"place_id": "h", "kind": "home", "name": "Home", "site_id": "roof"},
    {"place_id": "w", "kind": "work", "name": "Office", "latitude": 53.0},
    {"place_id": "c", "kind": "home", "name": "Cabin", "latitude": 54.0},
)
SESSION = {
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "fast_charger_type": pl.String(),
    "fast_charger_brand": pl.String(),
    "conn_charge_cable": pl.String(),
    "is_dc": pl.Boolean(),
    "connector_site_id": pl.String(),
}
HOME, OFFICE, CABIN = ({"latitude": latitude, "longitude": 13.0} for latitude in (52.0, 53.0, 54.0))


def labels(session: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """Kind of charger, name of the place and energy site of a session."""
    row = located(pl.DataFrame([session], SESSION), KNOWN).row(0, named=True)
    return row["charger_type"], row["location_name"], row["site_id"]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (DC | {"fast_charger_type": "Tesla", "fast_charger_brand": "Tesla"}, "supercharger"),
        (DC | {"fast_charger_type": "Combo", "fast_charger_brand": "Tesla"}, "supercharger"),
        (DC | {"fast_charger_type": "Tesla"}, "supercharger"),
        (DC | {"fast_charger_brand": "Tesla"}, "supercharger"),
        ({"fast_charger_type": "Tesla"}, "supercharger"),
        (DC | {"fast_charger_type": "Combo"}, "third_party"),
        (DC | {"fast_charger_type": "CHAdeMO", "fast_charger_brand": "Ionity"}, "third_party"),
        ({"fast_charger_type": "GB_DC"}, "third_party"),
        ({"conn_charge_cable": "GB_DC"}, "third_party"),
        (DC, "third_party"),
        (AC, "destination"),
        (AC | {"fast_charger_brand": "Tesla"}, "destination"),
        (AC | {"fast_charger_type": "MCSingleWireCAN", "fast_charger_brand": "Tesla"},
         "destination"),
        (IEC, "other"),
        ({}, "other"),
    ],
)  # fmt: skip
def test_away_from_all_places_the_answers_own_fields_tell_the_charger(
    fields: dict[str, Any], kind: str
) -> None:
    assert labels(fields) == (kind, None, None)


def test_ac_is_of_the_kind_of_its_place_whatever_the_cable() -> None:
    assert labels(HOME | AC) == ("home", "Home", "roof")
    assert labels(HOME | IEC) == ("home", "Home", "roof")
    assert labels(HOME) == ("home", "Home", "roof")
    assert labels(OFFICE | IEC) == ("other", "Office", None)
    assert labels(OFFICE | AC) == ("destination", "Office", None)


def test_dc_at_home_is_not_home_charging_and_has_no_energy_site() -> None:
    tesla, other = ({"fast_charger_type": name} for name in ("Tesla", "Combo"))
    assert labels(HOME | DC | tesla) == ("supercharger", "Home", None)
    assert labels(HOME | DC | other) == ("third_party", "Home", None)


def test_a_wall_connector_that_saw_the_car_makes_a_home_of_no_place_at_all() -> None:
    seen = {"connector_site_id": "barn"}
    assert labels(AC | seen) == ("home", None, "barn")
    assert labels(IEC | seen) == ("home", None, "barn")


def test_the_place_says_more_than_the_wall_connector_but_for_a_site_that_it_does_not_know() -> None:
    seen = {"connector_site_id": "barn"}
    assert labels(HOME | AC | seen) == ("home", "Home", "roof")
    assert labels(CABIN | AC | seen) == ("home", "Cabin", "barn")
    assert labels(OFFICE | AC | seen) == ("destination", "Office", "barn")


def test_editing_a_place_labels_stored_sessions_anew() -> None:
    stored = located(pl.DataFrame([HOME | AC, OFFICE | IEC], SESSION), KNOWN)
    edited = places({"place_id": "w", "kind": "home", "name": "Workshop", "latitude": 53.0})
    again = located(stored, edited)
    assert set(again.columns) == set(stored.columns)
    assert again.select("place_id", "location_name", "charger_type", "site_id").rows() == [
        (None, None, "destination", None),
        ("w", "Workshop", "home", None),
    ]
    assert_frame_equal(located(again, KNOWN), stored, check_column_order=False)
