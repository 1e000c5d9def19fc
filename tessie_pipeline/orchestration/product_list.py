"""The account's list of vehicles and sites: read once per poll, and as rarely as it has to be paid.

Both assets of a poll that need the list find it in the cache once one has asked. Not here: what is
stored of it (`registries`), and whom it leads to (`polling`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tessie_pipeline.domain.polling import Pace
from tessie_pipeline.orchestration.faults import keep_aside
from tessie_pipeline.store.calls.answer_cache import AnswerCache
from tessie_pipeline.store.database import Database
from tessie_pipeline.tesla.answers import UndecodableAnswer, rejected, text_to_keep
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import TransientApiError
from tessie_pipeline.tesla.product_answers import Products, decode_products

ONE_POLL = timedelta(seconds=30)
"""A list of this age is of the poll that is under way, and says what state a vehicle is in now."""


@dataclass(frozen=True)
class ProductList:
    """What is on the account, as the list said at `received_at` (UTC)."""

    products: Products
    received_at: datetime

    def is_current(self, now: datetime) -> bool:
        """Whether it still tells the state of a vehicle."""
        return now - self.received_at <= ONE_POLL


def read_product_list(
    fleet_api: FleetApi, database: Database, pace: Pace, now: datetime
) -> ProductList | None:
    """The newest list that the pace allows; None if it allows none and there has never been one.

    What cannot be decoded is kept aside.

    Raises:
        TransientApiError: also where the list as a whole cannot be decoded.
        TerminalApiError: a person has to mend something.
    """
    cache = AnswerCache(database, text_to_keep)
    ask = fleet_api.products if pace.is_listing else None
    try:
        answer = cache.products(now, ask, max(ONE_POLL, pace.listing))
    except TimeoutError as error:
        raise TransientApiError(str(error)) from None
    if answer.body is None or answer.received_at is None:
        return None
    is_new = answer.received_at == now
    try:
        products = decode_products(answer.body)
    except UndecodableAnswer as error:
        if is_new:
            keep_aside(database, "products", [rejected(answer.body, str(error))])
        raise TransientApiError(f"/products: {error}; it is in rejected_payloads") from error
    if is_new:
        keep_aside(database, "products", products.rejected)
    return ProductList(products, answer.received_at)
