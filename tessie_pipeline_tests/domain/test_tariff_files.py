from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

from tessie_pipeline.domain.tariff_files import TariffFileError, read_tariffs
from tessie_pipeline.domain.tariffs import Rate, Season, Tariff, tariff_id_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "tariffs.md"

FLAT = """
[[tariff]]
name = "Home"
currency = "USD"
time_zone = "America/Denver"
{more}
[[tariff.buy]]
price = 0.3
{rate}
"""


def written(more: str = "", rate: str = "") -> str:
    return FLAT.format(more=more, rate=rate)


def the_only_rate(rate: str) -> Rate:
    return read_tariffs(written(rate=rate))[0].rates[0]


def test_the_example_of_the_documentation_says_what_its_comments_say() -> None:
    example = DOCUMENT.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    old, new, car_park = read_tariffs(example)
    assert old == Tariff(
        tariff_id=tariff_id_of("Home", None),
        name="Home",
        currency="EUR",
        time_zone="Europe/Berlin",
        rates=(
            Rate("buy", Decimal("0.2199"), start=time(22), end=time(6)),
            Rate("buy", Decimal("0.3299")),
            Rate("sell", Decimal("0.082")),
        ),
        valid_to=date(2026, 1, 1),
        source="file",
    )
    assert (new.name, new.valid_from, new.valid_to) == ("Home", date(2026, 1, 1), None)
    assert new.rates[1] == Rate(
        "buy",
        Decimal("0.419"),
        season=Season((11, 1), (2, 28)),
        weekdays=frozenset({1, 2, 3, 4, 5}),
        start=time(17),
        end=time(20),
    )
    assert (car_park.unit, car_park.session_fee) == ("minute", Decimal("0.5"))


def test_a_price_is_read_as_it_is_written_and_not_as_a_float() -> None:
    assert str(the_only_rate("").price) == "0.3"
    assert read_tariffs(written(more="session_fee = 1"))[0].session_fee == Decimal(1)


@pytest.mark.parametrize(
    ("days", "numbers"),
    [("Mon", {1}), ("Sat, sun", {6, 7}), ("Fri-Mon", {5, 6, 7, 1}), ("Mon-Wed,Fri", {1, 2, 3, 5})],
)
def test_days_are_names_and_spans_of_names_that_may_go_over_the_weekend(
    days: str, numbers: set[int]
) -> None:
    assert the_only_rate(f'days = "{days}"').weekdays == numbers


def test_hours_to_24_end_at_midnight() -> None:
    rate = the_only_rate('hours = "18:30-24:00"')
    assert (rate.start, rate.end) == (time(18, 30), time(0))


def test_a_file_read_twice_gives_versions_of_the_same_identity() -> None:
    first, second = read_tariffs(written()), read_tariffs(written())
    assert [tariff.tariff_id for tariff in first] == [tariff.tariff_id for tariff in second]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name =", "the file is not TOML"),
        ("", "tariff: it is missing"),
        (written(more="tariff_zone = 1"), "tariff 1, tariff_zone: it is not known"),
        (written(rate='hours = "22-6"'), "tariff 1, buy 1, hours: hours are written like"),
        (written(rate='hours = "25:00-26:00"'), "tariff 1, buy 1, hours: hour must be in 0..23"),
        (written(rate='days = "weekend"'), "tariff 1, buy 1, days: days are written like"),
        (written(rate='season = "summer"'), "tariff 1, buy 1, season: a season is written"),
        (written(rate='season = "02-30 to 03-01"'), "season: 02-30 is no day of the year"),
        (written(more='valid_from = "2026-01-01"'), "tariff 1, valid_from: a date is written"),
        (written(more='session_fee = "1"'), "tariff 1, session_fee: an amount is a number"),
        (written(more="session_fee = nan"), "tariff 1, session_fee: Input should be a finite"),
        (written(more="session_fee = 0.0000001"), "tariff 1 (Home): the session fee has more"),
        (written(more='unit = "hour"'), "tariff 1, unit: Input should be 'kwh' or 'minute'"),
        (
            written(more="valid_from = 2026-01-02\nvalid_to = 2026-01-02"),
            "tariff 1 (Home): a tariff ends after it began",
        ),
        (written().replace("America/Denver", "Mars"), "tariff 1 (Home): 'Mars' is no time zone"),
        (written().replace("USD", "dollar"), "tariff 1 (Home): 'dollar' is no currency code"),
        (written() * 2, "tariff Home without valid_from stands there 2 times"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(TariffFileError) as caught:
        read_tariffs(text)
    assert sentence in str(caught.value)
