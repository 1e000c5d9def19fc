"""What a person names at the command line: vehicles, sites, places, tariffs and drivers.

What is not there is refused in a sentence that names what is.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from rich.console import Console

from tessie_pipeline.cli.account import say
from tessie_pipeline.cli.environment import CliError
from tessie_pipeline.store.charging.places import place_ids
from tessie_pipeline.store.charging.tariffs import tariff_names
from tessie_pipeline.store.drivers import known_drivers
from tessie_pipeline.store.registries import KnownSite, find_vehicle, known_sites, vehicle_ids
from tessie_pipeline.store.tables import vehicles


def say_changed(console: Console, sentence: str) -> None:
    """Print what was changed, and that history is labelled and priced anew by itself."""
    say(console, sentence)
    say(console, "History follows by itself, at the next tick of `tessie up`.")


def new_name(given: str) -> str:
    """A name as it is to be stored.

    Raises:
        CliError: there is nothing in it.
    """
    name = given.strip()
    if not name:
        raise CliError("A name is needed")
    return name


def vehicle_named(connection: sa.Connection, wanted: str) -> tuple[str, str]:
    """Our id and the name of the vehicle with this name or VIN."""
    found = find_vehicle(connection, wanted)
    if found is None:
        c = vehicles.c
        names = sa.select(sa.func.coalesce(c.display_name, c.vin)).where(c.removed_at.is_(None))
        raise _not_there("vehicle", wanted, connection.scalars(names))
    tesla_id, name = found
    return vehicle_ids(connection)[tesla_id], name


def site_named(connection: sa.Connection, wanted: str) -> KnownSite:
    """The energy site with this name or Tesla id."""
    known = known_sites(connection)
    found = [site for site in known if wanted in (site.site_name, str(site.tesla_site_id))]
    if not found:
        raise _not_there("energy site", wanted, map(site_called, known))
    if len(found) > 1:
        ids = ", ".join(sorted(map(site_called, found)))
        raise CliError(f"There are several energy sites {wanted}, name one by its Tesla id: {ids}")
    return found[0]


def place_named(connection: sa.Connection, wanted: str) -> str:
    """Our id of the place with this name."""
    known = place_ids(connection)
    if wanted not in known:
        raise _not_there("place", wanted, known)
    return known[wanted]


def tariff_named(connection: sa.Connection, wanted: str) -> str:
    """The name of a tariff that is stored."""
    known = tariff_names(connection)
    if wanted not in known:
        raise _not_there("tariff", wanted, known)
    return wanted


def driver_named(connection: sa.Connection, wanted: str) -> str:
    """Our id of the driver with this name."""
    known = known_drivers(connection)
    if wanted not in known:
        raise _not_there("driver", wanted, known)
    return known[wanted]


def site_called(site: KnownSite) -> str:
    """A site's name, with its Tesla id."""
    return f"{site.site_name or 'one without a name'} ({site.tesla_site_id or 'imported'})"


def _not_there(what: str, wanted: str, known: Iterable[str]) -> CliError:
    return CliError(
        f"There is no {what} {wanted}; there is {', '.join(sorted(known)) or 'none yet'}"
    )
