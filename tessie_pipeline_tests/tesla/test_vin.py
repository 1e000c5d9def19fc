import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.tesla.vin import VinFacts, decode_vin


@pytest.mark.parametrize(
    ("vin", "facts"),
    [
        ("5YJSA7H4XFF000000", VinFacts("Model S", 2015, "Fremont")),
        ("5YJSA2DN0DFP21224", VinFacts("Model S", 2013, "Fremont")),
        ("LRW3F7EK4NC700000", VinFacts("Model 3", 2022, "Shanghai")),
        ("7SAYGDEE5RA123456", VinFacts("Model Y", 2024, "Austin")),
        ("XP7YGCEK1PB000001", VinFacts("Model Y", 2023, "Berlin")),
        ("7SAXCDE52NF300000", VinFacts("Model X", 2022, "Fremont")),
        ("7G2CEHED9RA000123", VinFacts("Cybertruck", 2024, "Austin")),
        ("7G2TEHED5TA000001", VinFacts("Semi", 2026, "Austin")),
        ("SFZRE11B281000123", VinFacts("Roadster", 2008, None)),
        ("5YJRE1A16A1000456", VinFacts("Roadster", 2010, None)),
        ("5yj3e1ea7kf000316", VinFacts("Model 3", 2019, "Fremont")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_vin_gives_model_year_and_plant(vin: str, facts: VinFacts) -> None:
    assert decode_vin(vin) == facts


def test_the_sample_car_of_the_documentation_has_a_model_but_no_year() -> None:
    assert decode_vin("5YJ3000000NEXUS01") == VinFacts("Model 3", None, None)


def test_a_digit_is_no_model_year_of_a_later_car() -> None:
    assert decode_vin("5YJ3E111181111111").year is None


@pytest.mark.parametrize(
    "vin",
    [
        None,
        "",
        "LR",
        "XXX",
        "1234",
        "5YJ3E1EA7KF00031",
        "5YJ3F111111111111111",
        "5YJ3E1EA7KFO00316",
        "WVWZZZ3CZWE000001",
    ],
)
def test_a_masked_or_foreign_vin_says_nothing(vin: str | None) -> None:
    assert decode_vin(vin) == VinFacts(None, None, None)


@given(st.text())
def test_no_text_breaks_the_decoding(vin: str) -> None:
    decode_vin(vin)
