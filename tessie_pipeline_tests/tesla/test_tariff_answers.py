"""A site's tariff in Tesla's shape, as public captures of `tariff_content_v2` show it."""

from copy import deepcopy
from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.domain.tariffs import EVERY_DAY, Rate, Season, Tariff, tariff_id_of
from tessie_pipeline.tesla.answers import UndecodableAnswer
from tessie_pipeline.tesla.tariff_answers import decode_site_tariff
from tessie_pipeline_tests.tesla.captured import captured
from tessie_pipeline_tests.tesla.test_answers_fuzz import junk, places, quickly

WORKDAYS, WEEKEND = frozenset({1, 2, 3, 4, 5}), frozenset({6, 7})
SUMMER, WINTER = Season((6, 1), (9, 30)), Season((10, 1), (5, 31))

TIME_OF_USE: dict[str, Any] = {
    "version": 1,
    "utility": "Valley Power",
    "code": "TOU-X",
    "name": "Time of use",
    "currency": "USD",
    "daily_charges": [{"name": "Charge", "amount": 0.4}],
    "demand_charges": {"ALL": {"rates": {"ALL": 0}}, "Summer": {}, "Winter": {}},
    "energy_charges": {
        "ALL": {"rates": {"ALL": 0}},
        "Summer": {"rates": {"ON_PEAK": 0.55, "OFF_PEAK": 0.3}},
        "Winter": {"rates": {"OFF_PEAK": 0.2513}},
    },
    "seasons": {
        "Summer": {
            "fromMonth": 6,
            "fromDay": 1,
            "toMonth": 9,
            "toDay": 30,
            "tou_periods": {
                "ON_PEAK": {"periods": [{"toDayOfWeek": 4, "fromHour": 16, "toHour": 21}]},
                "OFF_PEAK": {
                    "periods": [
                        {"toDayOfWeek": 4, "fromHour": 21, "fromMinute": 0, "toHour": 16},
                        {"fromDayOfWeek": 5, "toDayOfWeek": 6, "toHour": 24},
                    ]
                },
            },
        },
        "Winter": {
            "fromMonth": 10,
            "fromDay": 1,
            "toMonth": 5,
            "toDay": 31,
            "tou_periods": {"OFF_PEAK": {"periods": [{"toDayOfWeek": 6}]}},
        },
        "Unused": {"fromMonth": 0, "toMonth": 0, "tou_periods": {}},
    },
    "sell_tariff": {
        "name": "Export",
        "energy_charges": {"ALL": {"rates": {"ALL": 0.05}}, "Summer": {"rates": {}}},
        "seasons": {},
    },
}


def decoded(content: object, zone: str = "America/Los_Angeles") -> Tariff | None:
    return decode_site_tariff(
        {"response": {"id": "STE1", "tariff_content_v2": content}},
        name="Home",
        time_zone=zone,
        valid_from=date(2026, 6, 1),
        site_id="a1" * 16,
    )


def with_period(**fields: int) -> dict[str, Any]:
    """The tariff with one more period in winter."""
    content = deepcopy(TIME_OF_USE)
    content["seasons"]["Winter"]["tou_periods"]["OFF_PEAK"]["periods"] = [fields]
    return content


def winter_rate(**fields: int) -> Rate:
    tariff = decoded(with_period(**fields))
    assert tariff is not None
    return next(r for r in tariff.rates if r.direction == "buy" and r.season == WINTER)


def test_a_time_of_use_tariff_decodes_to_what_a_person_reads_in_it() -> None:
    export = Decimal("0.05")
    assert decoded(TIME_OF_USE) == Tariff(
        tariff_id=tariff_id_of("Home", date(2026, 6, 1)),
        name="Home",
        currency="USD",
        time_zone="America/Los_Angeles",
        rates=(
            Rate("buy", Decimal("0.55"), "kwh", SUMMER, WORKDAYS, time(16), time(21)),
            Rate("buy", Decimal("0.3"), "kwh", SUMMER, WORKDAYS, time(21), time(16)),
            Rate("buy", Decimal("0.3"), "kwh", SUMMER, WEEKEND),
            Rate("buy", Decimal("0.2513"), "kwh", WINTER),
            Rate("sell", export, "kwh", SUMMER, WORKDAYS, time(16), time(21)),
            Rate("sell", export, "kwh", SUMMER, WORKDAYS, time(21), time(16)),
            Rate("sell", export, "kwh", SUMMER, WEEKEND),
            Rate("sell", export, "kwh", WINTER),
        ),
        valid_from=date(2026, 6, 1),
        source="tesla",
        site_id="a1" * 16,
    )


def test_export_has_seasons_of_its_own_where_tesla_gives_them() -> None:
    content = deepcopy(TIME_OF_USE)
    content["sell_tariff"]["seasons"] = {
        "Year": {"fromMonth": 1, "fromDay": 1, "toMonth": 12, "toDay": 31,
                 "tou_periods": {"ANY": {"periods": [{}]}}}
    }  # fmt: skip
    tariff = decoded(content)
    assert tariff is not None
    sold = [rate for rate in tariff.rates if rate.direction == "sell"]
    assert sold == [Rate("sell", Decimal("0.05"), season=Season((1, 1), (12, 31)))]


@pytest.mark.parametrize("sold", [None, {}, {"seasons": {}}, {"energy_charges": {}}])
def test_a_tariff_without_prices_for_export_only_buys(sold: object) -> None:
    tariff = decoded(TIME_OF_USE | {"sell_tariff": sold})
    assert tariff is not None
    assert not tariff.sells


def test_a_tariff_without_seasons_has_one_price() -> None:
    flat = {"currency": "AUD", "energy_charges": {"ALL": {"rates": {"ALL": 0.3}}}}
    tariff = decoded(flat)
    assert tariff is not None
    assert tariff.rates == (Rate("buy", Decimal("0.3")),)


@pytest.mark.parametrize(
    ("fields", "weekdays", "start", "end"),
    [
        ({"fromDayOfWeek": 5, "toDayOfWeek": 0}, [6, 7, 1], time(0), time(0)),
        ({"toDayOfWeek": 0, "fromHour": 22, "toHour": 6}, [1], time(22), time(6)),
        ({"fromHour": 23, "fromMinute": 30}, EVERY_DAY, time(23, 30), time(0)),
        ({"fromHour": 7, "fromMinute": 15, "toHour": 24}, EVERY_DAY, time(7, 15), time(0)),
        ({"toHour": 5, "toMinute": 60}, EVERY_DAY, time(0), time(6)),
    ],
    ids=["over the weekend", "over midnight", "no end", "to 24", "to minute 60"],
)
def test_periods_wrap_over_midnight_and_the_week(
    fields: dict[str, int], weekdays: list[int], start: time, end: time
) -> None:
    rate = winter_rate(**fields)
    assert (rate.weekdays, rate.start, rate.end) == (frozenset(weekdays), start, end)


def test_a_price_is_taken_to_six_digits_as_it_is_written() -> None:
    content = deepcopy(TIME_OF_USE)
    content["energy_charges"]["Winter"]["rates"]["OFF_PEAK"] = 0.321370005607605
    tariff = decoded(content)
    assert tariff is not None
    assert Decimal("0.32137") in [rate.price for rate in tariff.rates]


@pytest.mark.parametrize(
    "answer",
    [
        captured("site_info/two_batteries_gateway_inverter"),
        captured("site_info/three_batteries_two_wall_connectors"),
        {"response": {"tariff_content_v2": {}}},
        {"response": {"tariff_content_v2": None}},
    ],
)
def test_a_site_without_a_tariff_has_none(answer: object) -> None:
    found = decode_site_tariff(answer, name="Home", time_zone="UTC", valid_from=None, site_id="a")
    assert found is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"code": "TOU-1"}, "tariff_content_v2.currency is missing"),
        ({"currency": "USD"}, "tariff_content_v2: a tariff needs prices to buy"),
        (TIME_OF_USE | {"currency": "dollar"}, "'dollar' is no currency code"),
        (TIME_OF_USE | {"energy_charges": {"Winter": {"rates": {"OFF_PEAK": 1}}}},
         "no price to buy for Summer ON_PEAK"),
        (TIME_OF_USE | {"energy_charges": {"ALL": {"rates": {"ALL": True}}}},
         "tariff_content_v2.energy_charges.ALL.rates.ALL is True"),
        (with_period(toDayOfWeek=7), "toDayOfWeek is 7"),
        (with_period(fromHour=25), "fromHour is 25"),
        (TIME_OF_USE | {"seasons": {"Year": {"tou_periods": {"ALL": {"periods": [{}]}}}}},
         "tariff_content_v2: 00-00 is no day of the year"),
    ],
)  # fmt: skip
def test_what_cannot_be_decoded_is_refused_with_a_sentence(content: object, sentence: str) -> None:
    with pytest.raises(UndecodableAnswer) as caught:
        decoded(content)
    assert sentence in str(caught.value)


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UndecodableAnswer, match="'' is no time zone"):
        decoded(TIME_OF_USE, zone="")


@quickly
@given(st.data())
def test_a_damaged_tariff_is_a_tariff_or_refused(data: st.DataObject) -> None:
    content = deepcopy(TIME_OF_USE)
    *way, last = data.draw(st.sampled_from(places(content)[1:]))
    parent = content
    for step in way:
        parent = parent[step]
    parent[last] = data.draw(junk)
    try:
        tariff = decoded(content)
    except UndecodableAnswer:
        return
    assert tariff is not None
    assert tariff.rates
