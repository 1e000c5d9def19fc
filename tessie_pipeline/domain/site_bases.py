"""What the days of a site follow besides its energy: its clock, its battery and its prices.

A basis is kept beside the site; compared with the present one it tells from which day on what was
computed is out of date. Not here: the days themselves.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from tessie_pipeline.domain.tariffs import Tariff

Basis = dict[str, Any]
"""Plain values, as JSON has them."""


def site_basis(
    time_zone: str | None,
    capacity_wh: float | None,
    versions: Sequence[Tariff],
    *,
    has_battery: bool = True,
) -> Basis:
    """The basis of a site with this clock, this battery and these versions of its tariff."""
    prices = [[str(one.first_day), str(one.end_day), one.signature] for one in versions]
    return {
        "time_zone": time_zone,
        "capacity_wh": capacity_wh,
        "has_battery": has_battery,
        "prices": sorted(prices),
    }


def changed_since(old: Basis | None, new: Basis) -> date | None:
    """The first local day that a change of the basis concerns, `date.min` if all; None if none."""
    if old is None or any(old[name] != new[name] for name in new if name != "prices"):
        return date.min
    prices = [{tuple(version) for version in basis["prices"]} for basis in (old, new)]
    # Of versions that hold at once the one that began last counts: the others matter after it, too.
    return min((date.fromisoformat(first) for first, _, _ in prices[0] ^ prices[1]), default=None)
