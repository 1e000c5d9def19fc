"""The endpoints that are called, and what Tesla bills for them (`fleet_api.md` section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

from tessie_pipeline.domain.calls import Category


class Kind(StrEnum):
    """What an endpoint reaches."""

    SIGN_IN = "sign_in"
    ACCOUNT = "account"
    LIST = "list"
    VEHICLE = "vehicle"
    ENERGY = "energy"
    WAKE = "wake"
    BILLS = "bills"


@dataclass(frozen=True)
class Endpoint:
    """A method and a path, with `{id}` for the vehicle or site."""

    method: str
    path: str
    kind: Kind

    @property
    def name(self) -> str:
        """How calls and holds name it, such as `GET /api/1/products`."""
        return f"{self.method} {self.path}"


TOKEN = Endpoint("POST", "/oauth2/v3/token", Kind.SIGN_IN)
REGION = Endpoint("GET", "/api/1/users/region", Kind.ACCOUNT)
PARTNER_ACCOUNTS = Endpoint("POST", "/api/1/partner_accounts", Kind.ACCOUNT)
PRODUCTS = Endpoint("GET", "/api/1/products", Kind.LIST)
VEHICLE_DATA = Endpoint("GET", "/api/1/vehicles/{id}/vehicle_data", Kind.VEHICLE)
WAKE_UP = Endpoint("POST", "/api/1/vehicles/{id}/wake_up", Kind.WAKE)
LIVE_STATUS = Endpoint("GET", "/api/1/energy_sites/{id}/live_status", Kind.ENERGY)
SITE_INFO = Endpoint("GET", "/api/1/energy_sites/{id}/site_info", Kind.ENERGY)
CHARGING_HISTORY = Endpoint("GET", "/api/1/dx/charging/history", Kind.BILLS)
CHARGE_TELEMETRY = Endpoint(
    "GET", "/api/1/energy_sites/{id}/telemetry_history?kind=charge", Kind.ENERGY
)


def calendar_history(kind: str) -> Endpoint:
    """The history of one kind; each is an endpoint of its own, since one may be refused alone."""
    path = f"/api/1/energy_sites/{{id}}/calendar_history?kind={kind}"
    return Endpoint("GET", path, Kind.ENERGY)


@dataclass(frozen=True)
class Billing:
    """What calls cost, US dollars.

    Attributes:
        prices_usd: of one call, by category; what is not there is free.
        categories: by kind of endpoint.
    """

    prices_usd: Mapping[Category, float] = field(default_factory=dict)
    categories: Mapping[Kind, Category] = field(
        default_factory=lambda: {
            Kind.SIGN_IN: Category.FREE,
            Kind.ACCOUNT: Category.FREE,
            Kind.LIST: Category.FREE,
            Kind.VEHICLE: Category.DATA,
            Kind.ENERGY: Category.DATA,
            Kind.WAKE: Category.WAKE,
            Kind.BILLS: Category.DATA,
        }
    )

    def category(self, endpoint: Endpoint) -> Category:
        """How calls of the endpoint are billed."""
        return self.categories[endpoint.kind]

    def cost_usd(self, endpoint: Endpoint, status: int | None) -> float:
        """What a call cost; answers of 500 and more are free.

        A call without an answer (None) counts: Tesla may have answered it after we had gone.
        """
        if status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return 0.0
        return self.prices_usd.get(self.category(endpoint), 0.0)
