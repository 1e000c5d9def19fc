from collections import defaultdict
from collections.abc import Iterator
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tessie_pipeline.domain.budget import (
    HEALED_DAYS,
    HISTORY_CALLS_PER_DAY,
    PAID_LISTING,
    TRAILING,
    Budget,
    Outlook,
    Spent,
    has_money,
    history_usd,
    month_of,
    outlook,
    paced,
    past_usd,
    spare_usd,
)
from tessie_pipeline.domain.polling import Pace, Purpose

BUDGET = Budget(monthly_usd=10.0, price_usd=0.002, vehicles=2, sites=1)
USUAL = Pace()
MAY = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
VEHICLE_DATA = "GET /api/1/vehicles/{id}/vehicle_data"
PRODUCTS = "GET /api/1/products"
LIVE_STATUS = "GET /api/1/energy_sites/{id}/live_status"
CALENDAR_HISTORY = "GET /api/1/energy_sites/{id}/calendar_history"

Instants = st.builds(lambda days: MAY + timedelta(days=days), st.floats(0, 365))
Costs = st.lists(
    st.builds(
        lambda days, endpoint, cost_usd: (timedelta(days=days), endpoint, cost_usd),
        st.floats(0, 35),
        st.sampled_from([VEHICLE_DATA, LIVE_STATUS, CALENDAR_HISTORY, PRODUCTS]),
        st.floats(0, 3),
    ),
    max_size=8,
)
Budgets = st.builds(
    Budget,
    st.floats(0, 100),
    st.sampled_from([0.0, 0.002]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.booleans(),
)


def month(*calls: Spent, now: datetime, since: datetime | None = None) -> Outlook:
    return outlook(calls, BUDGET, now, since)


def pace_after(*calls: Spent, now: datetime, budget: Budget = BUDGET) -> Pace:
    return paced(outlook(calls, budget, now), budget, now)


def daily(endpoint: str, cost_usd: float, start: datetime, days: int) -> list[Spent]:
    return [Spent(start + day * DAY, endpoint, cost_usd) for day in range(days)]


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        (MAY + timedelta(days=30, hours=23), MAY, datetime(2026, 6, 1, tzinfo=UTC)),
        (MAY, MAY, datetime(2026, 6, 1, tzinfo=UTC)),
        (
            datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
            datetime(2026, 12, 1, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
        ),
    ],
    ids=["last hour", "first instant", "December"],
)
def test_a_month_is_a_calendar_month_of_utc(now: datetime, start: datetime, end: datetime) -> None:
    assert month_of(now) == (start, end)


def test_what_was_spent_is_summed_by_endpoint_for_this_month_only() -> None:
    found = month(
        Spent(MAY - DAY, VEHICLE_DATA, 5.0),
        Spent(MAY, VEHICLE_DATA, 1.0),
        Spent(MAY + DAY, VEHICLE_DATA, 0.5),
        Spent(MAY + DAY, LIVE_STATUS, 0.25),
        now=MAY + 2 * DAY,
    )
    assert found.spent_usd == 1.75
    assert found.spent_usd_by_endpoint == {"vehicle_data": 1.5, "live_status": 0.25}


def test_the_forecast_adds_the_trailing_rate_and_the_history_to_come() -> None:
    calls = daily(VEHICLE_DATA, 0.2, MAY, 21) + daily(CALENDAR_HISTORY, 0.006, MAY, 21)
    found = month(*calls, now=MAY + 21 * DAY)
    history_usd = 31 * HISTORY_CALLS_PER_DAY * 0.002
    assert found.reserved_usd == pytest.approx(10 * HISTORY_CALLS_PER_DAY * 0.002)
    assert found.forecast_usd == pytest.approx(31 * 0.2 + history_usd)


def test_at_the_beginning_of_a_month_the_days_before_it_tell_the_rate() -> None:
    found = month(*daily(VEHICLE_DATA, 0.2, MAY - 10 * DAY, 10), now=MAY)
    assert found.spent_usd == 0
    assert found.forecast_usd == pytest.approx(31 * 0.2 + found.reserved_usd)


def test_a_new_account_is_judged_by_the_days_it_has() -> None:
    calls = daily(VEHICLE_DATA, 0.2, MAY, 2)
    found = month(*calls, now=MAY + 2 * DAY, since=MAY)
    assert found.rate_usd_per_day == {"vehicle_data": pytest.approx(0.2)}


def test_its_first_hour_is_not_taken_for_a_month_of_such_hours() -> None:
    first = Spent(MAY, VEHICLE_DATA, 0.1)
    found = month(first, now=MAY + timedelta(hours=1), since=MAY)
    assert found.forecast_usd < 4


def test_an_import_of_history_is_spent_but_not_expected_again() -> None:
    imported = Spent(MAY, CALENDAR_HISTORY, 2.0)
    found = month(imported, now=MAY + DAY)
    assert found.forecast_usd == pytest.approx(2.0 + found.reserved_usd)


def test_a_new_month_that_has_spent_nothing_has_the_usual_pace() -> None:
    assert pace_after(now=MAY) == USUAL


@given(now=Instants, monthly_usd=st.floats(10, 1000))
def test_spending_nothing_leaves_the_usual_pace(now: datetime, monthly_usd: float) -> None:
    assert pace_after(now=now, budget=replace(BUDGET, monthly_usd=monthly_usd)) == USUAL


@given(now=Instants, costs=Costs, more=Costs, budget=Budgets)
def test_spending_more_never_shortens_an_interval(
    now: datetime,
    costs: list[tuple[timedelta, str, float]],
    more: list[tuple[timedelta, str, float]],
    budget: Budget,
) -> None:
    calls = [Spent(now - ago, endpoint, cost_usd) for ago, endpoint, cost_usd in costs]
    others = [Spent(now - ago, endpoint, cost_usd) for ago, endpoint, cost_usd in more]
    *slower, is_paying, is_listing = astuple(pace_after(*calls, *others, now=now, budget=budget))
    *faster, was_paying, was_listing = astuple(pace_after(*calls, now=now, budget=budget))
    assert all(after >= before for after, before in zip(slower, faster, strict=True))
    assert (is_paying <= was_paying, is_listing <= was_listing) == (True, True)


@given(now=Instants, costs=Costs, budget=Budgets)
def test_no_interval_is_shorter_than_usual_and_the_least_valuable_stretch_most(
    now: datetime, costs: list[tuple[timedelta, str, float]], budget: Budget
) -> None:
    calls = [Spent(now - ago, endpoint, cost_usd) for ago, endpoint, cost_usd in costs]
    pace = pace_after(*calls, now=now, budget=budget)
    stretches = [
        pace.of(purpose) / USUAL.of(purpose)
        for purpose in (Purpose.CHARGING, Purpose.DRIVING, Purpose.KEPT_AWAKE, Purpose.IDLE)
    ]
    assert pace.live_status >= USUAL.live_status
    assert stretches[0] >= 1
    assert stretches == pytest.approx(sorted(stretches), abs=1e-6)


def test_live_status_gives_way_before_the_cars_do() -> None:
    cars = daily(VEHICLE_DATA, 0.25, MAY - TRAILING, 7)
    pace = pace_after(*cars, now=MAY)
    assert pace.live_status > 2 * USUAL.live_status
    assert replace(pace, live_status=USUAL.live_status) == USUAL


def test_free_calls_need_no_pace() -> None:
    free = replace(BUDGET, monthly_usd=0.0, price_usd=0.0)
    assert pace_after(Spent(MAY, VEHICLE_DATA, 5.0), now=MAY + DAY, budget=free) == USUAL


def test_at_the_limit_nothing_is_paid_but_the_history_reserved_for_it() -> None:
    now = MAY + 20 * DAY
    found = month(Spent(MAY, VEHICLE_DATA, 9.93), now=now)
    assert not paced(found, BUDGET, now).is_paying
    assert not has_money(found, BUDGET, calls=3)
    assert history_usd(found, BUDGET, now) == pytest.approx(8 * 3 * 0.002 * BUDGET.sites)
    spent = month(Spent(MAY, VEHICLE_DATA, 10.0), now=now)
    assert history_usd(spent, BUDGET, now) == 0


def test_days_long_past_leave_alone_what_the_record_may_use() -> None:
    now = MAY + 14 * DAY
    # 6.10 USD are spent, and 17 days of 0.29 USD, 4.93, are to come for the cars: 1.03 too much.
    found = month(
        Spent(MAY, VEHICLE_DATA, 6.1 - 7 * 0.29),
        *daily(VEHICLE_DATA, 0.29, now - TRAILING, 7),
        now=now,
    )
    assert past_usd(found, BUDGET, now) == 0
    assert history_usd(found, BUDGET, now) == pytest.approx(8 * 3 * 0.002)


def test_the_past_leaves_the_cars_what_they_need() -> None:
    nothing_known = month(now=MAY)
    assert past_usd(nothing_known, BUDGET, MAY) == pytest.approx(BUDGET.monthly_usd / 2)
    now = MAY + 7 * DAY
    busy = month(*(Spent(MAY + day * DAY, VEHICLE_DATA, 0.3) for day in range(7)), now=now)
    # 2.10 USD are spent, and 24 days more of 0.30 USD are to come.
    assert past_usd(busy, BUDGET, now) == pytest.approx(10 - 2.1 - 7.2)


def test_to_spare_is_what_cars_live_status_and_the_record_will_not_need() -> None:
    now = MAY + 21 * DAY
    calls = daily(VEHICLE_DATA, 0.2, MAY, 21) + daily(LIVE_STATUS, 0.1, MAY, 21)
    found = month(*calls, now=now)
    # Of 9.5 USD 6.30 are spent; to come are 11 days of 0.20 USD for cars, 10 of 24 live statuses,
    # and 10 of 3 calls for the record: 2.20, 0.48 and 0.06 USD.
    assert spare_usd(found, BUDGET, now) == pytest.approx(9.5 - 6.3 - 2.2 - 0.48 - 0.06)


def test_nothing_is_to_spare_before_its_time() -> None:
    lavish = replace(BUDGET, monthly_usd=100.0)
    now = MAY + 15.5 * DAY
    found = outlook([Spent(MAY, VEHICLE_DATA, 45.0)], lavish, now)
    # Of 99 USD 45 are spent and 0.096 are the record's. With 16.5 of 32 days to come, polling slows
    # down as soon as less than 0.9 of their share of the 99 is left.
    assert spare_usd(found, lavish, now) == pytest.approx(99 - 45.096 - 0.9 * 99 * 16.5 / 32)


@pytest.mark.parametrize(("cars_usd", "has_any"), [(0.2, True), (0.25, False)])
def test_a_look_at_the_day_goes_before_all_but_an_hourly_live_status(
    cars_usd: float, has_any: bool
) -> None:
    cars = daily(VEHICLE_DATA, cars_usd, MAY - TRAILING, 7)
    assert pace_after(*cars, now=MAY).live_status > USUAL.live_status
    assert (spare_usd(month(*cars, now=MAY), BUDGET, MAY) > 0) == has_any


Affluent = st.builds(
    Budget,
    st.floats(5, 100),
    st.sampled_from([0.0, 0.002]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.booleans(),
)


@given(now=Instants, costs=Costs, budget=Affluent)
def test_spending_what_is_to_spare_slows_no_car_and_leaves_the_others_their_needs(
    now: datetime, costs: list[tuple[timedelta, str, float]], budget: Budget
) -> None:
    calls = [Spent(now - ago, endpoint, cost_usd) for ago, endpoint, cost_usd in costs]
    before = outlook(calls, budget, now)
    to_spare = spare_usd(before, budget, now)
    assume(to_spare > 0)
    after = outlook([*calls, Spent(now, CALENDAR_HISTORY, to_spare)], budget, now)
    slower, faster = paced(after, budget, now), paced(before, budget, now)
    second = timedelta(seconds=1)
    assert slower.live_status <= max(faster.live_status, timedelta(hours=1)) + second
    for purpose in Purpose:
        assert slower.of(purpose) <= faster.of(purpose) + second
    assert slower.listing <= faster.listing + second
    assert (slower.is_paying, slower.is_listing) == (faster.is_paying, faster.is_listing)
    record_usd = HISTORY_CALLS_PER_DAY * budget.sites * budget.price_usd * HEALED_DAYS
    assert history_usd(after, budget, now) >= record_usd - 1e-9


@given(now=Instants, costs=Costs, more=Costs, budget=Budgets)
def test_spending_more_never_leaves_more_to_spare(
    now: datetime,
    costs: list[tuple[timedelta, str, float]],
    more: list[tuple[timedelta, str, float]],
    budget: Budget,
) -> None:
    calls = [Spent(now - ago, endpoint, cost_usd) for ago, endpoint, cost_usd in costs]
    others = [Spent(now - ago, endpoint, cost_usd) for ago, endpoint, cost_usd in more]
    poorer = spare_usd(outlook([*calls, *others], budget, now), budget, now)
    assert 0 <= poorer <= spare_usd(outlook(calls, budget, now), budget, now)


@pytest.mark.parametrize("are_lists_free", [True, False])
def test_a_budget_of_nothing_pays_nothing(are_lists_free: bool) -> None:
    nothing = replace(BUDGET, monthly_usd=0.0, are_lists_free=are_lists_free)
    pace = pace_after(now=MAY, budget=nothing)
    assert (pace.is_paying, pace.is_listing) == (False, are_lists_free)


def test_a_free_list_is_read_on_every_tick_and_a_paid_one_gives_way_early() -> None:
    paid = replace(BUDGET, are_lists_free=False)
    calls = daily(PRODUCTS, 0.3, MAY - TRAILING, 7) + daily(VEHICLE_DATA, 0.1, MAY - TRAILING, 7)
    assert pace_after(*calls, now=MAY).listing == timedelta(0)
    assert pace_after(now=MAY, budget=paid).listing == PAID_LISTING
    pace = pace_after(*calls, now=MAY, budget=paid)
    assert pace.listing > 2 * PAID_LISTING
    assert pace.charging == USUAL.charging


def days_of_polling(
    budget: Budget, cars_by_purpose: dict[Purpose, float], days: int, step: timedelta
) -> Iterator[tuple[float, Pace]]:
    """Each month's spending and pace at its end, where so many cars are always so busy.

    A subject is asked once in a step at most.
    """
    book: defaultdict[tuple[datetime, str], int] = defaultdict(int)
    owed: defaultdict[str, float] = defaultdict(float)
    now = MAY
    for tick in range(days * (DAY // step)):
        now = MAY + tick * step
        today = now.replace(hour=0, minute=0)
        calls = [
            Spent(day, endpoint, calls * budget.price_usd)
            for (day, endpoint), calls in book.items()
            if day >= min(month_of(now)[0], now - TRAILING - DAY)
        ]
        so_far = outlook(calls, budget, now, MAY)
        daily_usd = 3 * budget.sites * budget.price_usd
        if now == today and history_usd(so_far, budget, now) >= daily_usd:
            book[today, CALENDAR_HISTORY] += 3 * budget.sites
        refresh_usd = budget.sites * budget.price_usd
        if now.minute == 0 and spare_usd(so_far, budget, now) >= refresh_usd:
            book[today, CALENDAR_HISTORY] += budget.sites
        pace = paced(so_far, budget, now)
        if pace.is_paying:
            for purpose, cars in cars_by_purpose.items():
                owed[VEHICLE_DATA] += cars * (step / max(step, pace.of(purpose), pace.listing))
            if not budget.are_lists_free:
                owed[PRODUCTS] += step / max(step, pace.listing)
            owed[LIVE_STATUS] += budget.sites * (step / max(step, pace.live_status))
            for endpoint, calls_owed in list(owed.items()):
                book[today, endpoint] += int(calls_owed)
                owed[endpoint] -= int(calls_owed)
        if month_of(now + step)[0] > now:
            start = month_of(now)[0]
            spent = sum(calls for (day, _), calls in book.items() if day >= start)
            yield spent * budget.price_usd, pace


Shares = st.fixed_dictionaries({purpose: st.floats(0, 1) for purpose in Purpose})


@settings(max_examples=12, deadline=None)
@given(
    monthly_usd=st.sampled_from([1.0, 10.0, 30.0]),
    vehicles=st.integers(0, 5),
    sites=st.integers(0, 2),
    are_lists_free=st.booleans(),
    shares=Shares,
)
def test_following_the_pace_never_passes_the_budget(
    monthly_usd: float,
    vehicles: int,
    sites: int,
    are_lists_free: bool,
    shares: dict[Purpose, float],
) -> None:
    budget = Budget(monthly_usd, 0.002, vehicles, sites, are_lists_free)
    whole = max(1.0, sum(shares.values()))
    demand = {purpose: vehicles * share / whole for purpose, share in shares.items()}
    for spent_usd, _ in days_of_polling(budget, demand, 31, timedelta(minutes=15)):
        assert spent_usd <= monthly_usd


def test_cars_under_sentry_for_months_spend_their_money_evenly_and_charge_as_usual() -> None:
    demand = {Purpose.KEPT_AWAKE: 2.0, Purpose.CHARGING: 0.2, Purpose.DRIVING: 0.3}
    months = list(days_of_polling(BUDGET, demand, 61, timedelta(minutes=15)))
    assert [spent_usd for spent_usd, _ in months] == pytest.approx([9.6, 9.6], abs=0.2)
    for _, pace in months:
        assert pace.is_paying
        assert pace.charging == USUAL.charging
        assert pace.kept_awake > 2 * USUAL.kept_awake
