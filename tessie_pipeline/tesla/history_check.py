"""Whether a `calendar_history` answer is the one that was asked for, told before it is stored.

Tesla has given days under another date (`anchors.md` section 6, trap 9), and a wrong zone shifts a
day by hours. Decoding is in `history`.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Literal

from tessie_pipeline.domain.days import day_start
from tessie_pipeline.tesla.answers import UndecodableAnswer, unwrapped

HistoryKind = Literal["energy", "power", "soe"]


def check_history_answer(kind: HistoryKind, body: object, day: date, zone: tzinfo) -> str | None:
    """Why an answer is not that of this local day, None if it is; an empty series always is.

    One bucket at the next midnight is let pass at the end of a day.
    """
    try:
        answer = unwrapped(body)
    except UndecodableAnswer as error:
        return str(error)
    if not isinstance(answer, Mapping) or "time_series" not in answer:
        return "time_series is missing"
    series = answer["time_series"]
    if series is None:
        return None
    if not isinstance(series, list):
        return "time_series is not a list"
    period = answer.get("period")
    if period != "day" and not (kind != "energy" and period is None):
        found = period[:20] if isinstance(period, str) else "missing"
        return f"period is {found}, expected day"
    return _misplaced(series, day, zone)


def _misplaced(series: list[object], day: date, zone: tzinfo) -> str | None:
    start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    outside: list[str] = []
    is_next_midnight = False
    for bucket in series:
        given = bucket.get("timestamp") if isinstance(bucket, Mapping) else None
        stamp = given if isinstance(given, str) else ""
        try:
            instant = datetime.fromisoformat(stamp)
        except ValueError:
            return "a bucket has no readable timestamp"
        if instant.tzinfo is None:
            return "a timestamp has no offset"
        if not start <= instant < end:
            outside.append(stamp)
            is_next_midnight = instant == end
    if not outside or (len(outside) == 1 < len(series) and is_next_midnight):
        return None
    return f"{len(outside)} of {len(series)} buckets are not of {day}, the first at {outside[0]}"
