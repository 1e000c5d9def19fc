"""The rate of requests that all processes keep to together, counted in Postgres.

The counting is pyrate-limiter's; its table is in the schema `private`. Not here: the rates.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psycopg_pool import ConnectionPool
from pyrate_limiter import Duration, Limiter, PostgresBucket, Rate

from tessie_pipeline.store.database import APPLICATION_NAME, Database
from tessie_pipeline.store.tables.columns import PRIVATE

BUCKET = "fleet_api"
LONGEST_WAIT_S = 300
_FORGET_THE_FUTURE = (
    f"delete from ratelimit___{BUCKET} "  # noqa: S608
    "where item_timestamp > clock_timestamp()::timestamp + interval '1 minute'"
)
"""What a clock has left that was ahead would hold everybody up until then."""


@contextmanager
def shared_pace(
    database: Database, per_minute: int, per_second: int
) -> Iterator[Callable[[], object]]:
    """A function that waits until one more request is within both rates; 0 is no rate.

    It raises TimeoutError when its turn does not come within `LONGEST_WAIT_S`.
    """
    rates = _rates(per_minute, per_second)
    if not rates:
        yield lambda: None
        return
    options = f"-c search_path={PRIVATE} -c timezone=UTC"
    with ConnectionPool(
        database.url(),
        min_size=1,
        max_size=2,
        kwargs={"options": options, "application_name": APPLICATION_NAME},
    ) as pool:
        limiter = Limiter(PostgresBucket(pool, BUCKET, rates))
        with pool.connection() as connection:
            connection.execute(_FORGET_THE_FUTURE)

        def wait_for_turn() -> None:
            if not limiter.try_acquire(timeout=LONGEST_WAIT_S):
                raise TimeoutError(f"Others have used the rate up for {LONGEST_WAIT_S} seconds")

        try:
            yield wait_for_turn
        finally:
            limiter.close()


def _rates(per_minute: int, per_second: int) -> list[Rate]:
    # The limiter refuses rates of which one makes the other needless.
    if per_minute and per_second:
        if per_minute <= per_second:
            per_second = 0
        elif per_minute > 60 * per_second:
            per_minute = 0
    pairs = ((per_second, Duration.SECOND), (per_minute, Duration.MINUTE))
    return [Rate(limit, duration) for limit, duration in pairs if limit]
