"""What a `vehicle_data` answer says the car is doing, for the decision when to ask it again.

Reads only what keeps a car awake or makes its data worth their price. An answer of a form never
seen must not stop the polling, so a field of another type counts as unknown, as Tesla's own words
for the unknown do. Not here: the sample that is stored (`vehicle_answers`).
"""

from typing import Annotated, Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from tessie_pipeline.domain.polling import Activity
from tessie_pipeline.tesla.answers import (
    Answer,
    EpochMilliseconds,
    Flag,
    Number,
    Text,
    UndecodableAnswer,
    from_milliseconds,
    kept_text,
    read,
    unwrapped,
)


def _known_or_none(value: Any, read_value: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read_value(value)
    except ValidationError:
        return None


_IfKnown = WrapValidator(_known_or_none)
_Flag = Annotated[Flag | None, _IfKnown]
_Text = Annotated[Text | None, _IfKnown]
_Time = Annotated[EpochMilliseconds | None, _IfKnown]
_Pct = Annotated[Number | None, _IfKnown]


class _State(Answer):
    timestamp: _Time = None


class _ChargeState(_State):
    charging_state: _Text = None


class _ClimateState(_State):
    climate_keeper_mode: _Text = None
    is_preconditioning: _Flag = None


class _DriveState(_State):
    shift_state: _Text = None


class _SoftwareUpdate(Answer):
    status: _Text = None
    download_perc: _Pct = None


class _VehicleState(_State):
    is_user_present: _Flag = None
    sentry_mode: _Flag = None
    software_update: Annotated[_SoftwareUpdate | None, _IfKnown] = None


class _Doing(Answer):
    charge_state: _ChargeState = _ChargeState()
    climate_state: _ClimateState = _ClimateState()
    drive_state: _DriveState = _DriveState()
    gui_settings: _State = _State()
    vehicle_config: _State = _State()
    vehicle_state: _VehicleState = _VehicleState()


def decode_activity(body: object) -> Activity:
    """What the car is doing.

    Raises:
        UndecodableAnswer: No sub-state has a time, or the answer or a sub-state is no object.
    """
    given = read(_Doing, kept_text(unwrapped(body)))
    state, climate = given.vehicle_state, given.climate_state
    update = state.software_update or _SoftwareUpdate()
    states: tuple[_State, ...] = (
        given.charge_state,
        climate,
        given.drive_state,
        given.gui_settings,
        given.vehicle_config,
        state,
    )
    times_ms = [part.timestamp for part in states if part.timestamp is not None]
    if not times_ms:
        raise UndecodableAnswer("no sub-state has a timestamp, expected at least one")
    return Activity(
        at=from_milliseconds(max(times_ms)),
        charging_state=given.charge_state.charging_state,
        shift_state=given.drive_state.shift_state,
        is_user_present=state.is_user_present,
        is_sentry_on=state.sentry_mode,
        climate_keeper_mode=climate.climate_keeper_mode,
        is_preconditioning=climate.is_preconditioning,
        update_status=update.status,
        update_download_pct=update.download_perc,
    )
