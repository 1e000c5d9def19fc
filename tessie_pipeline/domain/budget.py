"""What calls to Tesla cost this month, what they will have cost at its end, and the pace for that.

A month is a UTC calendar month, as Tesla bills. The governor stretches the intervals of `polling`,
the least valuable calls first, so that the month ends within the budget. Not here: which call is
made when, and how a request is billed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil, inf

from tessie_pipeline.domain.polling import Pace

HISTORY, LIVE_STATUS = "calendar_history", "live_status"
"""The endpoints that are forecast by what is still to come, not by the rate so far."""

HISTORY_CALLS_PER_DAY = 3
"""One `calendar_history` per site, day and kind: power, energy and soe."""

HEALED_DAYS = 8
"""So many dates' record may use what is kept for the cars: a week that was missed, and one more."""

LIVE_SHARE, CARS_SHARE = 0.95, 0.99
"""The shares of the budget up to which live status and the cars plan to spend."""

PAID_LISTING = timedelta(minutes=5)
"""The least time between two lists where they cost money."""

TRAILING = timedelta(days=7)
"""The days whose spending is taken for the days to come: a whole week, whatever the month."""

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_RAREST_LIVE_STATUS = timedelta(hours=6)
_EASE = 0.9
"""The share of the money by the share of the time that is left, below which the cars feel it."""

_LONGEST_STRETCH = 12.0
_STEEPNESS = 5
_STRETCHED_FROM = {"idle": 1.0, "listing": 1.0, "kept_awake": 1.1, "driving": 1.3, "charging": 1.6}
"""The pressure from which on a purpose's interval is stretched, the least valuable first."""


@dataclass(frozen=True)
class Spent:
    """What calls of an endpoint cost; single ones, or those of the hour or day that begins at `at`.

    `endpoint` is as in `api_calls`: method and path, of which the last part counts.
    """

    at: datetime
    endpoint: str
    cost_usd: float


@dataclass(frozen=True)
class Budget:
    """What an account may spend in a month, the price of a call, and how many subjects it has."""

    monthly_usd: float
    price_usd: float
    vehicles: int
    sites: int
    are_lists_free: bool = True


@dataclass(frozen=True)
class Outlook:
    """The month so far and to come.

    Attributes:
        start: the month's first instant (UTC).
        end: the next month's.
        spent_usd: what was spent since `start`.
        spent_usd_by_endpoint: the same by the last part of the path.
        reserved_usd: what the daily history still costs until `end`.
        rate_usd_per_day: what a day costs by endpoint, over the trailing days; without history.
        forecast_usd: what will have been spent at `end` if calls go on as in the trailing days.
    """

    start: datetime
    end: datetime
    spent_usd: float
    spent_usd_by_endpoint: Mapping[str, float]
    reserved_usd: float
    rate_usd_per_day: Mapping[str, float]
    forecast_usd: float


def outlook(
    calls: Iterable[Spent], budget: Budget, now: datetime, polling_since: datetime | None = None
) -> Outlook:
    """The month's spending so far and its forecast.

    Args:
        calls: what was spent since the earlier of the month's start and `TRAILING` before `now`.
        budget: prices and subjects.
        now: the instant (UTC).
        polling_since: when calls began, if that is within the trailing days; they count from
            there, but for a day at least.
    """
    start, end = month_of(now)
    trailing_start = now - TRAILING
    covered = TRAILING if polling_since is None else min(TRAILING, max(_DAY, now - polling_since))
    spent: defaultdict[str, float] = defaultdict(float)
    trailing: defaultdict[str, float] = defaultdict(float)
    for call in calls:
        endpoint = call.endpoint.rsplit("/", 1)[-1]
        if start <= call.at:
            spent[endpoint] += call.cost_usd
        if trailing_start <= call.at and endpoint != HISTORY:
            trailing[endpoint] += call.cost_usd
    days_left = (end - now) / _DAY
    rates = {endpoint: cost_usd / (covered / _DAY) for endpoint, cost_usd in trailing.items()}
    reserved_usd = HISTORY_CALLS_PER_DAY * budget.sites * budget.price_usd * ceil(days_left)
    spent_usd = sum(spent.values())
    return Outlook(
        start=start,
        end=end,
        spent_usd=spent_usd,
        spent_usd_by_endpoint=dict(spent),
        reserved_usd=reserved_usd,
        rate_usd_per_day=rates,
        forecast_usd=spent_usd + reserved_usd + sum(rates.values()) * days_left,
    )


def paced(month: Outlook, budget: Budget, now: datetime, usual: Pace | None = None) -> Pace:
    """The intervals at which the month ends within the budget; never shorter than the usual ones.

    Nothing is paid once a call to each subject, on top of what is reserved, could pass the budget.
    """
    usual = usual or Pace()
    if budget.price_usd == 0:
        return usual
    if not budget.are_lists_free:
        usual = replace(usual, listing=max(usual.listing, PAID_LISTING))
    pressure = _pressure(month, budget, now)
    stretched = {
        purpose: getattr(usual, purpose) * _stretch(pressure / start)
        for purpose, start in _STRETCHED_FROM.items()
    }
    lists = 0 if budget.are_lists_free else 1
    is_paying = has_money(month, budget, budget.vehicles + budget.sites + lists)
    return replace(
        usual,
        **stretched,
        live_status=_live_interval(month, budget, now, usual.live_status),
        is_paying=is_paying,
        is_listing=budget.are_lists_free or is_paying,
    )


def has_money(month: Outlook, budget: Budget, calls: int) -> bool:
    """Whether so many calls stay within the budget, on top of what is reserved for history."""
    return month.spent_usd + month.reserved_usd + calls * budget.price_usd <= budget.monthly_usd


def history_usd(month: Outlook, budget: Budget, now: datetime) -> float:
    """What calls for history may cost now: the record of the last `HEALED_DAYS` has its own."""
    left_usd = budget.monthly_usd - month.spent_usd
    return max(past_usd(month, budget, now), min(_record_usd(budget), left_usd))


def past_usd(month: Outlook, budget: Budget, now: datetime) -> float:
    """What calls for days before the last `HEALED_DAYS` may cost now.

    The past can wait: it leaves what the cars will need by their trailing cost, and at least half
    of the rest of the month's share.
    """
    left_usd = budget.monthly_usd - month.spent_usd
    share_left = (month.end - now) / (month.end - month.start)
    planned_usd = max(_cars_usd(month, month.end - now), 0.5 * budget.monthly_usd * share_left)
    return max(0.0, left_usd - planned_usd)


def spare_usd(month: Outlook, budget: Budget, now: datetime) -> float:
    """What may be spent now on looks at days in progress.

    It leaves the cars what they will need by their trailing cost and the pace that they have, live
    status a call an hour, and the record its own.
    """
    live_usd = budget.sites * budget.price_usd * (max(month.end - now, _HOUR) / _HOUR)
    kept_usd = max(0.0, _record_usd(budget) - month.reserved_usd)
    planned_usd = _cars_usd(month, month.end + _DAY - now) + live_usd + kept_usd
    even_usd = CARS_SHARE * budget.monthly_usd * _EASE * _time_left(month, now)
    return max(
        0.0,
        min(
            _left_usd(month, budget, LIVE_SHARE) - planned_usd,
            _left_usd(month, budget, CARS_SHARE) - even_usd,
        ),
    )


def month_of(now: datetime) -> tuple[datetime, datetime]:
    """The first instants of the UTC calendar month around `now`, and of the next."""
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(days=32)).replace(day=1)


def _cars_usd(month: Outlook, span: timedelta) -> float:
    """What everything but live status and history costs in a time to come."""
    rate = sum(usd for endpoint, usd in month.rate_usd_per_day.items() if endpoint != LIVE_STATUS)
    return rate * (span / _DAY)


def _left_usd(month: Outlook, budget: Budget, share: float) -> float:
    return share * budget.monthly_usd - month.spent_usd - month.reserved_usd


def _record_usd(budget: Budget) -> float:
    return HISTORY_CALLS_PER_DAY * budget.sites * budget.price_usd * HEALED_DAYS


def _time_left(month: Outlook, now: datetime) -> float:
    """The share of the month that is left, planned for a day more than it has."""
    return (month.end + _DAY - now) / (month.end + _DAY - month.start)


def _pressure(month: Outlook, budget: Budget, now: datetime) -> float:
    """How much more is asked for than there is; 1 and below is enough.

    The product of two: the cars' trailing cost over what is left, which sees early what comes, and
    the share of the time over the share of the money that is left, which does not forget. Both
    plan for a day more than the month has, or little things would count for much in its last hours.
    """
    left_usd = _left_usd(month, budget, CARS_SHARE)
    if left_usd <= 0:
        return inf
    span = month.end + _DAY - now
    share_left = left_usd / (CARS_SHARE * budget.monthly_usd)
    return (
        max(1.0, _cars_usd(month, span) / left_usd)
        * max(1.0, _EASE * _time_left(month, now) / share_left) ** 2
    )


def _stretch(excess: float) -> float:
    """How many times longer an interval gets; steep, so that the least valuable calls give most."""
    return min(max(1.0, min(excess, _LONGEST_STRETCH) ** _STEEPNESS), _LONGEST_STRETCH)


def _live_interval(month: Outlook, budget: Budget, now: datetime, usual: timedelta) -> timedelta:
    """Live status has what the cars will leave, spread over the rest of the month."""
    span = max(month.end - now, _HOUR)
    left_usd = _left_usd(month, budget, LIVE_SHARE) - _cars_usd(month, span)
    call_usd = budget.sites * budget.price_usd
    if call_usd * (span / _RAREST_LIVE_STATUS) >= left_usd:
        return max(usual, _RAREST_LIVE_STATUS)
    return max(usual, span * (call_usd / left_usd))
