"""Routes about energy sites: now, what is installed, and history."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tessie_pipeline.simulator import calendar_history as calendar
from tessie_pipeline.simulator.charging_history import connector_charges
from tessie_pipeline.simulator.errors import invalid_request
from tessie_pipeline.simulator.site_answers import live_status, site_info
from tessie_pipeline.simulator.world import World, response, world_of

DEVICE_DATA = "energy_device_data"


def _window(world: World, request: Request, period: str) -> calendar.Window:
    query = request.query_params
    return calendar.window(
        world.site(request),
        period,
        query.get("start_date"),
        query.get("end_date"),
        query.get("time_zone"),
        world.shown_s(request),
    )


async def live(request: Request) -> Response:
    """`GET /api/1/energy_sites/{site}/live_status`: powers [W] and state of charge now."""
    world = world_of(request)
    world.authorised(request, DEVICE_DATA)
    return response(live_status(world.fleet, world.site(request), world.shown_s(request)))


async def info(request: Request) -> Response:
    """`GET /api/1/energy_sites/{site}/site_info`: what is installed."""
    world = world_of(request)
    world.authorised(request, DEVICE_DATA)
    return response(site_info(world.fleet, world.site(request), world.shown_s(request)))


async def calendar_history(request: Request) -> Response:
    """`GET …/calendar_history?kind&period&start_date&end_date&time_zone`.

    Kinds energy, power, soe and backup. An end_date at exactly 00:00:00 gives an empty
    series, as Tesla's defect does.
    """
    world = world_of(request)
    world.authorised(request, DEVICE_DATA)
    site, now_s = world.site(request), world.shown_s(request)
    kind = request.query_params.get("kind", "")
    period = request.query_params.get("period", "day")
    asked = _window(world, request, period)
    days = world.fleet.site_days
    if kind == "backup":
        events = calendar.backup_events(days, site, asked, now_s)
        return response({"events": events, "total_events": len(events)})
    series: list[dict[str, Any]]
    if kind == "energy":
        series = calendar.energy_series(days, site, asked, period, now_s)
    elif kind == "power":
        series = calendar.power_series(days, site, asked, now_s)
    elif kind == "soe":
        series = calendar.soe_series(days, site, asked, now_s)
    else:
        raise invalid_request(f"unknown kind: {kind}")
    return response(
        {
            "serial_number": f"00000000-0000-4000-9000-{site.index:012d}",
            "period": period,
            "installation_time_zone": site.zone,
            "time_series": series,
        }
    )


async def telemetry_history(request: Request) -> Response:
    """`GET …/telemetry_history?kind=charge`: finished charges at the site's wall connectors."""
    world = world_of(request)
    world.authorised(request, DEVICE_DATA)
    site, now_s = world.site(request), world.shown_s(request)
    if request.query_params.get("kind") != "charge":
        raise invalid_request("unknown kind")
    asked = _window(world, request, "month")
    charges = connector_charges(world.fleet, site, asked.start_s, asked.end_s, now_s)
    return response({"charge_history": charges or None})


ROUTES = [
    Route("/api/1/energy_sites/{site}/live_status", live),
    Route("/api/1/energy_sites/{site}/site_info", info),
    Route("/api/1/energy_sites/{site}/calendar_history", calendar_history),
    Route("/api/1/energy_sites/{site}/telemetry_history", telemetry_history),
]
