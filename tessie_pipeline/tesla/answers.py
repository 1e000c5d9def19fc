"""What every decoder of a Tesla answer shares: field types, the unknown, the envelope, refusals.

Here: how JSON becomes checked values and how a refusal is worded. Not here: any one endpoint
(`vehicle_answers`, `energy_answers`, `product_answers`, `history`, `error_answers`), HTTP, storage.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError, from_json

EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""A clock outside these is wrong, not early or late."""

LARGEST = 1e12
"""No power [W] or energy [Wh] of a site or car comes near it; larger is junk that breaks sums."""

SECRETS = frozenset({"tokens", "backseat_token"})
"""Keys of a vehicle object that open its legacy stream: never kept, never shown."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWNS = frozenset({"", "<invalid>"})
_SHOWN_CHARS = 80
_SHOWN_FIELDS = 10
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class UndecodableAnswer(ValueError):
    """An answer that is not what its endpoint gives; the message names each bad field."""


@dataclass(frozen=True)
class Rejected:
    """A part of an answer that could not be decoded: kept, with the sentence that says why.

    Attributes:
        reason: What was found and what was expected.
        body: The JSON text of the part, without secrets.
        subject: Whose it is where that is known: a site's id, as given by the caller.
    """

    reason: str
    body: str
    subject: str | None = None


def is_unknown(value: object) -> bool:
    """Whether Tesla says by this value that it does not know (null, "", "<invalid>")."""
    return value is None or (isinstance(value, str) and value.strip() in _UNKNOWNS)


class Answer(BaseModel):
    """A JSON object of which the named fields are read; an unknown value counts as absent."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_unknowns(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if not is_unknown(value)}


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


def _instant(value: object) -> datetime:
    """A UTC time from ISO 8601 text that carries its offset."""
    try:
        time = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise PydanticCustomError("instant", "Input should be an ISO 8601 time with an offset")
    if not EARLIEST <= time < LATEST:
        raise PydanticCustomError("instant", "Input should be a time from 2010 to 2099")
    return time.astimezone(UTC)


_NotBool = BeforeValidator(_refuse_bool)
_EARLIEST_S = int(EARLIEST.timestamp())
_LATEST_S = int(LATEST.timestamp())

Number = Annotated[float, _NotBool, Field(ge=-LARGEST, le=LARGEST)]
Latitude = Annotated[float, _NotBool, Field(ge=-90, le=90)]
Longitude = Annotated[float, _NotBool, Field(ge=-180, le=180)]
Percent = Annotated[int, _NotBool, Field(ge=0, le=100)]
ChargedPercent = Annotated[float, _NotBool, Field(ge=-10, le=110)]
Degrees = Annotated[int, _NotBool, Field(ge=0, le=360)]
RouteMinutes = Annotated[float, _NotBool, Field(ge=-1440, le=525_600)]
SmallCount = Annotated[int, _NotBool, Field(ge=0, le=32_767)]
TeslaId = Annotated[int, _NotBool, Field(gt=0, lt=2**63)]
EpochSeconds = Annotated[int, _NotBool, Field(ge=_EARLIEST_S, lt=_LATEST_S)]
EpochMilliseconds = Annotated[int, _NotBool, Field(ge=_EARLIEST_S * 1000, lt=_LATEST_S * 1000)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Vin = Annotated[str, StringConstraints(strip_whitespace=True, max_length=17)]
Flag = StrictBool

AnswerT = TypeVar("AnswerT", bound=Answer)


def from_milliseconds(epoch_ms: int) -> datetime:
    """The UTC time of an epoch in milliseconds, exact."""
    return _EPOCH + timedelta(milliseconds=epoch_ms)


def from_seconds(epoch_s: int) -> datetime:
    """The UTC time of an epoch in seconds, exact."""
    return _EPOCH + timedelta(seconds=epoch_s)


def unwrapped(body: object) -> object:
    """What an answer holds, without the `response` envelope where there is one.

    Raises:
        UndecodableAnswer: The envelope is empty; its `error` is quoted.
    """
    if not (isinstance(body, Mapping) and "response" in body):
        return body
    if is_unknown(body["response"]):
        raise UndecodableAnswer(f"response is empty, error is {_shown(body.get('error'))}")
    return body["response"]


def kept_text(body: object) -> str:
    """The JSON text of an answer, to be kept: complete but for `SECRETS`, storable in Postgres.

    NUL characters and lone surrogates, which Postgres refuses, become U+FFFD and "?".

    Raises:
        UndecodableAnswer: The body holds what JSON cannot: NaN, Infinity, endless nesting.
    """
    try:
        text = json.dumps(
            _without_secrets(body), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise UndecodableAnswer(f"the answer cannot be written as JSON: {error}") from error
    return _ESCAPED_NUL.sub(r"\1\\ufffd", text).encode("utf-8", "replace").decode()


def text_to_keep(body: object) -> str | None:
    """The JSON text of an answer, as `kept_text`; None of one that cannot be kept."""
    try:
        return kept_text(body)
    except UndecodableAnswer:
        return None


def read(model: type[AnswerT], text: str) -> AnswerT:
    """The fields of `model` from a JSON text.

    Numbers may come as text ("17.4") and whole numbers with a fraction of zero (80.0).

    Raises:
        UndecodableAnswer: The text is not JSON, or a field is missing, of another type or beyond
            its limits.
    """
    try:
        return model.model_validate(from_json(text, allow_inf_nan=False))
    except ValidationError as error:
        raise UndecodableAnswer(_sentence(error.errors(include_url=False))) from error
    except ValueError as error:
        raise UndecodableAnswer(f"the answer is not JSON: {error}") from error


def rejected(part: object, reason: str) -> Rejected:
    """A refused part with its text: what JSON cannot hold as Python writes it, or none at all."""
    try:
        return Rejected(reason, kept_text(part))
    except UndecodableAnswer:
        pass
    try:
        return Rejected(reason, json.dumps(_without_secrets(part)))
    except (TypeError, ValueError, RecursionError):
        return Rejected(reason, "")


def _without_secrets(part: object) -> object:
    if isinstance(part, Mapping):
        return {key: _without_secrets(value) for key, value in part.items() if key not in SECRETS}
    if isinstance(part, list):
        return [_without_secrets(value) for value in part]
    return part


def _sentence(errors: list[ErrorDetails]) -> str:
    """Every bad field, what was found and what was expected."""
    faults = [_fault(error) for error in errors[:_SHOWN_FIELDS]]
    if len(errors) > _SHOWN_FIELDS:
        faults.append(f"and {len(errors) - _SHOWN_FIELDS} more")
    return "; ".join(faults)


def _fault(error: ErrorDetails) -> str:
    where = ".".join(str(step) for step in error["loc"]) or "the answer"
    message = error["msg"].replace("Input should be", "expected")
    if error["type"] == "missing":
        return f"{where} is missing"
    return f"{where} is {_shown(error['input'])}, {message}"


def _shown(value: object) -> str:
    """A bad value in at most 80 characters; of lists and objects only their kind."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of more than 77 digits"
    return ascii(value[:_SHOWN_CHARS] if isinstance(value, str) else value)[:_SHOWN_CHARS]
