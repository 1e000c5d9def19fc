"""Decoding of the list answers `/products` and `/vehicles` (`fleet_api.md` section 3).

Here: which element of a list is a car, a site, a ghost or something else. What a car or a site says
of itself is decoded in `vehicle_answers` and `energy_answers`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tessie_pipeline.tesla.answers import (
    Rejected,
    UndecodableAnswer,
    is_unknown,
    rejected,
    unwrapped,
)
from tessie_pipeline.tesla.energy_answers import EnergySite, decode_site_product
from tessie_pipeline.tesla.vehicle_answers import Vehicle, decode_vehicle


@dataclass(frozen=True)
class Products:
    """What an account has.

    Attributes:
        vehicles: Its cars.
        sites: Its energy sites.
        rejected: Elements that should be one of the two but cannot be decoded.
        ignored: For each element that is neither, or a site without any part, what it is.
    """

    vehicles: tuple[Vehicle, ...]
    sites: tuple[EnergySite, ...]
    rejected: tuple[Rejected, ...]
    ignored: tuple[str, ...]


def decode_products(body: object) -> Products:
    """The cars and sites of a `/products` or `/vehicles` answer, each decoded on its own.

    Raises:
        UndecodableAnswer: The answer is not a list.
    """
    listed = unwrapped(body)
    if not isinstance(listed, list):
        raise UndecodableAnswer("the answer is not a list of products")
    vehicles: list[Vehicle] = []
    sites: list[EnergySite] = []
    refused: list[Rejected] = []
    ignored: list[str] = []
    for product in listed:
        try:
            if not isinstance(product, Mapping):
                raise UndecodableAnswer("a product is not an object")
            if _has(product, "vin") or _has(product, "vehicle_id"):
                vehicles.append(decode_vehicle(product))
            elif not _has(product, "energy_site_id"):
                ignored.append("a product that is neither a car nor an energy site")
            elif site := decode_site_product(product):
                sites.append(site)
            else:
                ignored.append(f"energy site {product['energy_site_id']}, which has no parts")
        except UndecodableAnswer as error:
            refused.append(rejected(product, str(error)))
    return Products(tuple(vehicles), tuple(sites), tuple(refused), tuple(ignored))


def _has(product: Mapping[str, object], key: str) -> bool:
    return not is_unknown(product.get(key))
