"""Decoding of `/dx/charging/history` answers: what Tesla billed (`fleet_api.md` section 3.4).

Here: pages of records to bills and their fees, each record on its own. The history holds charges
that Tesla bills, mostly at Superchargers, never those at home. Not here: whose session it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.tesla.answers import (
    Answer,
    Flag,
    Instant,
    Number,
    Rejected,
    TeslaId,
    Text,
    UndecodableAnswer,
    Vin,
    kept_text,
    read,
    rejected,
    unwrapped,
)

CHARGING_BILLS = pl.Schema(
    {
        "session_id": pl.Int64(),
        "vin": pl.String(),
        "site_name": pl.String(),
        "started_at": UTC_TIME,
        "stopped_at": UTC_TIME,
        "unlatched_at": UTC_TIME,
        "country": pl.String(),
        "billing_type": pl.String(),
        "raw_data": pl.String(),
    }
)
"""One row per billed session: charging began and stopped, the cable was unlatched (later, with idle
time between); all but id, VIN and start may be null. `raw_data` is the record's JSON text."""

TIERS = ("base", "tier_1", "tier_2", "tier_3", "tier_4")

CHARGING_FEES = pl.Schema(
    {
        "session_id": pl.Int64(),
        "position": pl.Int16(),
        "session_fee_id": pl.Int64(),
        "fee_type": pl.String(),
        "currency": pl.String(),
        "pricing_type": pl.String(),
        "uom": pl.String(),
        **{f"rate_{tier}": pl.Float64() for tier in TIERS},
        **{f"usage_{tier}": pl.Float64() for tier in TIERS},
        **{f"total_{tier}": pl.Float64() for tier in TIERS},
        "total_due": pl.Float64(),
        "net_due": pl.Float64(),
        "is_paid": pl.Boolean(),
        "status": pl.String(),
    }
)
"""One row per fee in the order of the bill, from position 0. Tesla's words as given: `fee_type`
CHARGING, PARKING (idle), CONGESTION and others, `uom` kwh or min. Rates are per unit, usages in it,
totals and dues in `currency`; `net_due` is less than `total_due` where something was credited."""


_MOST_FEES = 1000


class _Record(Answer):
    model_config = ConfigDict(alias_generator=to_camel)


class _Fee(_Record):
    session_fee_id: TeslaId | None = None
    fee_type: Text
    currency: Text | None = Field(default=None, alias="currencyCode")
    pricing_type: Text | None = None
    uom: Text | None = None
    rate_base: Number | None = None
    rate_tier_1: Number | None = None
    rate_tier_2: Number | None = None
    rate_tier_3: Number | None = None
    rate_tier_4: Number | None = None
    usage_base: Number | None = None
    usage_tier_1: Number | None = None
    usage_tier_2: Number | None = None
    usage_tier_3: Number | None = None
    usage_tier_4: Number | None = None
    total_base: Number | None = None
    total_tier_1: Number | None = None
    total_tier_2: Number | None = None
    total_tier_3: Number | None = None
    total_tier_4: Number | None = None
    total_due: Number | None = None
    net_due: Number | None = None
    is_paid: Flag | None = None
    status: Text | None = None


class _Bill(_Record):
    session_id: TeslaId
    vin: Vin
    site_name: Text | None = Field(default=None, alias="siteLocationName")
    started_at: Instant = Field(alias="chargeStartDateTime")
    stopped_at: Instant | None = Field(default=None, alias="chargeStopDateTime")
    unlatched_at: Instant | None = Field(default=None, alias="unlatchDateTime")
    country: Text | None = Field(default=None, alias="countryCode")
    billing_type: Text | None = None
    fees: Annotated[tuple[_Fee, ...], Field(max_length=_MOST_FEES)] = ()


@dataclass(frozen=True)
class ChargingBills:
    """A page of the history.

    Attributes:
        bills: `CHARGING_BILLS`, in the page's order, the last of repeated ones.
        fees: `CHARGING_FEES` of these bills.
        rejected: Records that could not be decoded; a bill is refused whole, for one of whose fees
            nothing is known would be too cheap.
        record_count: Records on the page, refused ones too.
        total_count: Records on all pages, None where Tesla does not say.
    """

    bills: pl.DataFrame
    fees: pl.DataFrame
    rejected: tuple[Rejected, ...]
    record_count: int
    total_count: int | None

    def is_last(self, received: int) -> bool:
        """Whether no page follows, `received` being the records of all pages up to this one.

        Tesla may give fewer records to a page than were asked for, so a short page is no end; where
        it gives no total, an empty page is.
        """
        is_whole = self.total_count is not None and received >= self.total_count
        return self.record_count == 0 or is_whole


def decode_charging_bills(body: object) -> ChargingBills:
    """The bills of one page, each decoded on its own.

    Raises:
        UndecodableAnswer: The answer is no page of records.
    """
    page = unwrapped(body)
    if not isinstance(page, Mapping) or "data" not in page:
        raise UndecodableAnswer("the answer is no page of charging history: data is missing")
    records = page["data"] if page["data"] is not None else []
    if not isinstance(records, list):
        raise UndecodableAnswer("data is not a list of records")
    bills: dict[int, tuple[_Bill, str]] = {}
    refused: list[Rejected] = []
    for record in records:
        try:
            text = kept_text(record)
            bill = read(_Bill, text)
        except UndecodableAnswer as error:
            refused.append(rejected(record, str(error)))
        else:
            bills[bill.session_id] = (bill, text)
    return ChargingBills(
        bills=pl.DataFrame(
            [
                bill.model_dump(exclude={"fees"}) | {"raw_data": text}
                for bill, text in bills.values()
            ],
            schema=CHARGING_BILLS,
        ),
        fees=_fees([bill for bill, _ in bills.values()]),
        rejected=tuple(refused),
        record_count=len(records),
        total_count=_count(page.get("totalResults")),
    )


def _fees(bills: Sequence[_Bill]) -> pl.DataFrame:
    rows = [
        {"session_id": bill.session_id, "position": position} | fee.model_dump()
        for bill in bills
        for position, fee in enumerate(bill.fees)
    ]
    return pl.DataFrame(rows, schema=CHARGING_FEES)


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value
