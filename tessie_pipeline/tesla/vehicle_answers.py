"""Decoding of vehicle objects and of `vehicle_data` answers (`fleet_api.md` sections 3 and 8).

Here: Tesla's names and clocks turned into `Vehicle` and into rows of `VEHICLE_STATES`. Units stay
Tesla's: miles, mph, degrees Celsius, bar, kW, kWh. Not here: whose a sample is, and staleness.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tessie_pipeline.tesla.answers import (
    UndecodableAnswer,
    from_milliseconds,
    from_seconds,
    kept_text,
    read,
    unwrapped,
)
from tessie_pipeline.tesla.vehicle_fields import DriveState, State, VehicleObject
from tessie_pipeline.tesla.vin import decode_vin

FRESH = timedelta(minutes=5)
"""A drive state this much older than the answer no longer proves that the car stands."""

_MODEL_BY_CAR_TYPE = {
    "models": "Model S",
    "models2": "Model S",
    "lychee": "Model S",
    "model3": "Model 3",
    "modelx": "Model X",
    "tamarind": "Model X",
    "modely": "Model Y",
    "cybertruck": "Cybertruck",
    "roadster": "Roadster",
    "semi": "Semi",
}
_SAME_PLACE_DEGREES = 0.0005

_Position = tuple[float | None, float | None]


@dataclass(frozen=True)
class Vehicle:
    """A car of the account.

    Attributes:
        tesla_id: `id_s`, else `id`: what the API calls the car.
        vin: As given; masked in public captures.
        display_name: The owner's name for it.
        state: "online", "asleep", "offline" or another word of Tesla's.
        model: As a person writes it: "Model 3"; from `car_type`, else from the VIN.
        year: Model year, from the VIN.
        color: `color`, else `exterior_color`, in Tesla's word ("MidnightSilver").
        trim: Tesla's badge as given ("74d"); the trim's sales name does not follow from it alone.
        in_service: Whether the car is at Tesla's service.
        access_type: "OWNER" or "DRIVER".
        raw_data: The answer's JSON without `SECRETS`.
    """

    tesla_id: int
    vin: str
    display_name: str | None
    state: str | None
    model: str | None
    year: int | None
    color: str | None
    trim: str | None
    in_service: bool | None
    access_type: str | None
    raw_data: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class VehicleSample:
    """One `vehicle_data` answer.

    Attributes:
        vehicle: The car as the answer describes it, None where it gives no id or no VIN.
        tesla_id: The answer's own id, to match it with the car that was asked for.
        vin: The answer's own VIN, likewise.
        row: `VEHICLE_STATES` but for `vehicle_id` and `is_stale`.
    """

    vehicle: Vehicle | None
    tesla_id: int | None
    vin: str | None
    row: dict[str, object]


def decode_vehicle(body: object) -> Vehicle:
    """A car from an element of `/products` or `/vehicles`, or from `/vehicles/{tag}`.

    Raises:
        UndecodableAnswer: It has no id or no VIN, or a field that is read is not what it should be.
    """
    text = kept_text(unwrapped(body))
    given = read(VehicleObject, text)
    vehicle = _vehicle(given, text)
    if vehicle is None:
        missing = "vin" if given.vin is None else "id"
        raise UndecodableAnswer(f"{missing} is missing")
    return vehicle


def decode_vehicle_data(body: object) -> VehicleSample:
    """One sample of a car.

    Times are UTC: `timestamp` is the newest sub-state's (epoch ms), `gps_timestamp` is `gps_as_of`
    (epoch s). `speed` [mph] is 0 where Tesla gives none, the gear is P or unknown and the drive
    state is at most `FRESH` older than the sample. Coordinates are WGS-84. The destination's
    coordinates outlive the route, so they count only with a name or a distance. `raw_data` is the
    answer's JSON without envelope and without `SECRETS`.

    Raises:
        UndecodableAnswer: No sub-state has a time, or a field is not what it should be.
    """
    text = kept_text(unwrapped(body))
    given = read(VehicleObject, text)
    timestamp = _newest(given)
    charge, drive, state = given.charge_state, given.drive_state, given.vehicle_state
    latitude, longitude = _wgs_position(drive)
    row: dict[str, object] = {
        "timestamp": timestamp,
        "latitude": latitude,
        "longitude": longitude,
        "gps_timestamp": None if drive.gps_as_of is None else from_seconds(drive.gps_as_of),
        "heading": drive.heading,
        "speed": _speed_mph(drive, timestamp),
        "power": drive.power,
        "shift_state": drive.shift_state,
        "odometer": state.odometer,
        **charge.model_dump(exclude={"timestamp"}),
        **_destination(drive),
        "inside_temp": given.climate_state.inside_temp,
        "outside_temp": given.climate_state.outside_temp,
        "is_locked": state.locked,
        "sentry_mode": state.sentry_mode,
        "firmware": None if state.car_version is None else state.car_version.split()[0],
        "tpms_pressure_fl": state.tpms_pressure_fl,
        "tpms_pressure_fr": state.tpms_pressure_fr,
        "tpms_pressure_rl": state.tpms_pressure_rl,
        "tpms_pressure_rr": state.tpms_pressure_rr,
        "raw_data": text,
    }
    return VehicleSample(_vehicle(given, text), _tesla_id(given), given.vin, row)


def _tesla_id(given: VehicleObject) -> int | None:
    return given.id if given.id_s is None else given.id_s


def _vehicle(given: VehicleObject, text: str) -> Vehicle | None:
    tesla_id = _tesla_id(given)
    if tesla_id is None or given.vin is None:
        return None
    facts = decode_vin(given.vin)
    config = given.vehicle_config
    return Vehicle(
        tesla_id=tesla_id,
        vin=given.vin,
        display_name=given.vehicle_state.vehicle_name or given.display_name,
        state=given.state,
        model=_MODEL_BY_CAR_TYPE.get((config.car_type or "").lower(), facts.model),
        year=facts.year,
        color=given.color or config.exterior_color,
        trim=config.trim_badging,
        in_service=given.in_service,
        access_type=given.access_type,
        raw_data=text,
    )


def _newest(given: VehicleObject) -> datetime:
    states: tuple[State, ...] = (
        given.charge_state,
        given.climate_state,
        given.drive_state,
        given.gui_settings,
        given.vehicle_config,
        given.vehicle_state,
    )
    times_ms = [state.timestamp for state in states if state.timestamp is not None]
    if not times_ms:
        raise UndecodableAnswer("no sub-state has a timestamp, expected at least one")
    return from_milliseconds(max(times_ms))


def _speed_mph(drive: DriveState, timestamp: datetime) -> float | None:
    if drive.speed is not None or drive.timestamp is None:
        return drive.speed
    is_parked = drive.shift_state in (None, "P")
    is_fresh = timestamp - from_milliseconds(drive.timestamp) <= FRESH
    return 0.0 if is_parked and is_fresh else None


def _wgs_position(drive: DriveState) -> _Position:
    """WGS-84 latitude and longitude [degrees].

    In China `latitude` and `longitude` may be shifted to GCJ-02, by hundreds of metres; `native_*`
    of the type "wgs" are not. Elsewhere both agree to the last digit or so.
    """
    given = (drive.latitude, drive.longitude)
    native = (drive.native_latitude, drive.native_longitude)
    if drive.native_type == "wgs" and None not in native and _is_elsewhere(given, native):
        return native
    return (None, None) if None in given else given


def _is_elsewhere(one: _Position, other: _Position) -> bool:
    """Whether two positions differ by more than rounding, or one is not known."""
    return any(
        a is None or b is None or abs(a - b) > _SAME_PLACE_DEGREES
        for a, b in zip(one, other, strict=True)
    )


def _destination(drive: DriveState) -> dict[str, object]:
    has_route = not (
        drive.active_route_destination is None and drive.active_route_miles_to_arrival is None
    )
    minutes = drive.active_route_minutes_to_arrival
    eta = None
    if has_route and minutes is not None and drive.timestamp is not None:
        eta = from_milliseconds(drive.timestamp) + timedelta(minutes=minutes)
    return {
        "destination_name": drive.active_route_destination,
        "destination_latitude": drive.active_route_latitude if has_route else None,
        "destination_longitude": drive.active_route_longitude if has_route else None,
        "destination_eta": eta,
        "destination_distance": drive.active_route_miles_to_arrival,
    }
