"""What calls may cost now: the month's outlook, from the book of calls and the settings."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tessie_pipeline.domain.budget import (
    TRAILING,
    Budget,
    Outlook,
    Spent,
    history_usd,
    month_of,
    outlook,
    paced,
    past_usd,
    spare_usd,
)
from tessie_pipeline.domain.polling import Pace
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.calls.log import first_call_at, spending_by_hour
from tessie_pipeline.store.registries import listed_sites, vehicle_ids

UNLIMITED = 1_000_000_000


@dataclass(frozen=True)
class Money:
    """The month's outlook, and the pace at which calls stay within the budget.

    `history_calls` is how many calls for history are affordable, `past_calls` how many if they are
    for days long past, `spare_calls` how many for a look at days in progress.
    """

    budget: Budget
    month: Outlook
    pace: Pace
    are_sites_free: bool
    history_calls: int
    past_calls: int
    spare_calls: int

    @property
    def site_pace(self) -> Pace:
        """The pace of calls to energy sites, which the budget does not bind if they are free."""
        return Pace() if self.are_sites_free else self.pace

    def described(self) -> dict[str, float]:
        """Figures for a person, US dollars."""
        return {
            "spent_this_month_usd": round(self.month.spent_usd, 3),
            "forecast_usd": round(self.month.forecast_usd, 2),
            "budget_usd": self.budget.monthly_usd,
        }


def money(connection: sa.Connection, settings: Settings, now: datetime) -> Money:
    """The account's money at `now`."""
    are_sites_free = settings.are_energy_calls_free
    budget = Budget(
        monthly_usd=settings.budget_usd,
        price_usd=settings.price_data_usd,
        vehicles=len(vehicle_ids(connection)),
        sites=0 if are_sites_free else len(listed_sites(connection)),
        are_lists_free=settings.are_lists_free,
    )
    start = min(month_of(now)[0], now - TRAILING)
    calls = [
        Spent(hour, endpoint.partition("?")[0], cost_usd)
        for hour, endpoint, cost_usd in spending_by_hour(connection, start)
    ]
    month = outlook(calls, budget, now, polling_since=first_call_at(connection))
    is_history_free = are_sites_free or budget.price_usd == 0
    history_calls, past_calls, spare_calls = (
        UNLIMITED if is_history_free else int(of(month, budget, now) / budget.price_usd)
        for of in (history_usd, past_usd, spare_usd)
    )
    return Money(
        budget,
        month,
        paced(month, budget, now),
        are_sites_free,
        history_calls,
        past_calls,
        spare_calls,
    )
