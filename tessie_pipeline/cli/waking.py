"""`tessie wake`: a vehicle is asked to wake, because a person wants it to."""

from rich.console import Console

from tessie_pipeline.cli import household
from tessie_pipeline.cli.environment import environment, prepare
from tessie_pipeline.orchestration.resources import clock, connect_fleet_api
from tessie_pipeline.orchestration.waking import wake_vehicle
from tessie_pipeline.settings import Settings


def wake(console: Console, vehicle: str, simulator_port: int) -> None:
    """Wake the vehicle of this name or VIN.

    Raises:
        FleetApiError: there is no such vehicle, or it could not be asked.
    """
    with environment() as env:
        prepare(env)
        host = household.DEFAULT_HOST
        url = household.url(host, simulator_port) if env.is_simulated else None
        settings = Settings.load(**env.variables(url))
        with connect_fleet_api(settings, env.database, clock) as fleet_api:
            name = wake_vehicle(env.database, fleet_api, settings, vehicle, clock())
    console.print(f"{name} was asked to wake; that takes some seconds.", highlight=False)
