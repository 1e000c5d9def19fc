"""The fields of a vehicle object that are read, under Tesla's names (`fleet_api.md` section 8).

Here: types and limits. What they mean for our columns is in `vehicle_answers`.
"""

from tessie_pipeline.tesla.answers import (
    Answer,
    Degrees,
    EpochMilliseconds,
    EpochSeconds,
    Flag,
    Latitude,
    Longitude,
    Number,
    Percent,
    RouteMinutes,
    SmallCount,
    TeslaId,
    Text,
    Vin,
)


class State(Answer):
    """What all sub-states have: their own time, epoch in ms."""

    timestamp: EpochMilliseconds | None = None


class ChargeState(State):
    """Percent, miles, mi/h, kW, V, A and kWh."""

    battery_level: Percent | None = None
    usable_battery_level: Percent | None = None
    battery_range: Number | None = None
    ideal_battery_range: Number | None = None
    est_battery_range: Number | None = None
    charging_state: Text | None = None
    charge_rate: Number | None = None
    charger_power: Number | None = None
    charger_voltage: Number | None = None
    charger_actual_current: Number | None = None
    charger_phases: SmallCount | None = None
    charge_energy_added: Number | None = None
    charge_limit_soc: Percent | None = None
    fast_charger_present: Flag | None = None
    fast_charger_type: Text | None = None
    fast_charger_brand: Text | None = None
    conn_charge_cable: Text | None = None


class ClimateState(State):
    """Degrees Celsius."""

    inside_temp: Number | None = None
    outside_temp: Number | None = None


class DriveState(State):
    """Degrees, mph, kW, miles and minutes; `gps_as_of` is an epoch in s."""

    latitude: Latitude | None = None
    longitude: Longitude | None = None
    native_latitude: Latitude | None = None
    native_longitude: Longitude | None = None
    native_type: Text | None = None
    gps_as_of: EpochSeconds | None = None
    heading: Degrees | None = None
    speed: Number | None = None
    power: Number | None = None
    shift_state: Text | None = None
    active_route_destination: Text | None = None
    active_route_latitude: Latitude | None = None
    active_route_longitude: Longitude | None = None
    active_route_miles_to_arrival: Number | None = None
    active_route_minutes_to_arrival: RouteMinutes | None = None


class VehicleConfig(State):
    """How the car was built."""

    car_type: Text | None = None
    trim_badging: Text | None = None
    exterior_color: Text | None = None


class VehicleState(State):
    """Miles, bar and the firmware with its build."""

    odometer: Number | None = None
    locked: Flag | None = None
    sentry_mode: Flag | None = None
    car_version: Text | None = None
    vehicle_name: Text | None = None
    tpms_pressure_fl: Number | None = None
    tpms_pressure_fr: Number | None = None
    tpms_pressure_rl: Number | None = None
    tpms_pressure_rr: Number | None = None


class VehicleObject(Answer):
    """A car as lists and `vehicle_data` give it, with what sub-states came along."""

    id: TeslaId | None = None
    id_s: TeslaId | None = None
    vin: Vin | None = None
    display_name: Text | None = None
    state: Text | None = None
    in_service: Flag | None = None
    access_type: Text | None = None
    color: Text | None = None
    charge_state: ChargeState = ChargeState()
    climate_state: ClimateState = ClimateState()
    drive_state: DriveState = DriveState()
    gui_settings: State = State()
    vehicle_config: VehicleConfig = VehicleConfig()
    vehicle_state: VehicleState = VehicleState()
