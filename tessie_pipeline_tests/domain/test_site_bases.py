"""What a site's days follow, and from which day on a change of it matters."""

import json
from datetime import date

import pytest

from tessie_pipeline.domain.site_bases import Basis, changed_since, site_basis
from tessie_pipeline_tests.domain.priced import buy, tariff

MAY, JUNE, JULY = (date(2026, month, 1) for month in (5, 6, 7))


def basis(*prices: tuple[str, date | None], zone: str = "UTC", wh: float | None = 13_500) -> Basis:
    versions = [tariff(buy(price), valid_from=day) for price, day in prices]
    return json.loads(json.dumps(site_basis(zone, wh, versions)))  # type: ignore[no-any-return]


BEFORE = basis(("0.30", None), ("0.40", JUNE))


@pytest.mark.parametrize(
    ("after", "since"),
    [
        pytest.param(basis(("0.30", None), ("0.40", JUNE)), None, id="nothing"),
        pytest.param(basis(("0.40", JUNE), ("0.30", None)), None, id="order"),
        pytest.param(basis(("0.30", None), ("0.40", JUNE), ("0.5", JULY)), JULY, id="new version"),
        pytest.param(basis(("0.30", None), ("0.41", JUNE)), JUNE, id="changed price"),
        pytest.param(basis(("0.30", None)), JUNE, id="version gone"),
        pytest.param(basis(("0.30", None), ("0.40", MAY)), MAY, id="moved"),
        pytest.param(basis(("0.31", None), ("0.40", JUNE)), date.min, id="price of always"),
        pytest.param(basis(("0.30", None), ("0.40", JUNE), zone="Asia/Tokyo"), date.min, id="zone"),
        pytest.param(basis(("0.30", None), ("0.40", JUNE), wh=27_000), date.min, id="battery"),
        pytest.param(basis(("0.30", None), ("0.40", JUNE), wh=None), date.min, id="no capacity"),
    ],
)
def test_a_change_matters_from_its_first_day_on(after: Basis, since: date | None) -> None:
    assert changed_since(BEFORE, after) == since


def test_what_was_never_computed_is_out_of_date_from_its_first_day() -> None:
    assert changed_since(None, BEFORE) == date.min
