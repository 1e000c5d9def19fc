"""Settings, read from the environment and from `.env` in the project's home.

Every variable is declared here with what it should be; a wrong one is named in a sentence. Not
here: what a setting leads to (starting a server, sealing a token).
"""

import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tessie_pipeline.domain.ages import Age

FLEET_API_URL = "https://fleet-api.prd.na.vn.cloud.tesla.com"
"""Tesla's base URL for North America and Asia-Pacific; source: fleet API docs, base URLs."""

TOKEN_URL = "https://fleet-auth.prd.vn.cloud.tesla.com/oauth2/v3/token"  # noqa: S105 (an address)
"""Tesla's token endpoint for Fleet clients since August 2025; source: fleet API announcements."""

AUTHORIZE_URL = "https://auth.tesla.com/oauth2/v3/authorize"
"""Where a person logs in at Tesla; source: fleet API, third-party tokens."""


class SettingsError(ValueError):
    """A setting is missing or wrong; the message says which, and what it should be."""


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("tessie_pipeline", appauthor=False))


def _hex_key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", value.get_secret_value()):
        raise ValueError("should be 64 hexadecimal characters (try: openssl rand -hex 32)")
    return value


def _postgres_url(value: SecretStr) -> SecretStr:
    should_be = "should look like postgresql://user:password@host:5432/database"
    try:
        url = make_url(value.get_secret_value().replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):
        raise ValueError(should_be) from None
    if not url.drivername.startswith("postgresql") or not url.database:
        raise ValueError(should_be)
    return value


def _http_url(value: str) -> str:
    if not re.match(r"https?://[^/\s]+", value):
        raise ValueError("should be an http(s) address such as https://example.com")
    return value.rstrip("/")


def _redirect_uri(value: str) -> str:
    """The address as it is, since it has to be that of the Tesla application to the letter."""
    _http_url(value)
    return value


def _secret_http_url(value: SecretStr) -> SecretStr:
    _http_url(value.get_secret_value())
    return value


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != len(_CRON_LIMITS) or not all(
        _is_cron_part(part, *limits)
        for field, limits in zip(fields, _CRON_LIMITS, strict=True)
        for part in field.split(",")
    ):
        raise ValueError("should be a cron line of five fields such as */5 * * * *")
    return value


_CRON_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def _is_cron_part(part: str, low: int, high: int) -> bool:
    """Whether a part is `*`, `n` or `n-m`, or one of them in steps `/n`, within its limits."""
    match = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
    if match is None:
        return False
    numbers = [int(number) for number in match.group(1, 2) if number]
    step = int(match.group(3) or 1)
    return (
        all(low <= number <= high for number in numbers) and sorted(numbers) == numbers and step > 0
    )


def _directory(value: Path) -> Path:
    path = value.expanduser()
    if path.exists() and not path.is_dir():
        raise ValueError("should be a directory")
    return path


def _age(value: str | Age) -> Age | None:
    return Age.parse(value) if isinstance(value, str) else value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("should be an IANA time zone such as Europe/Berlin")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]
OptionalAge = Annotated[Age | None, NoDecode, BeforeValidator(_age)]


class Settings(BaseSettings):
    """What the environment says; secrets are `SecretStr` and never show in a `repr`.

    Prices are in US dollars per request, as Tesla's billing page had them on `prices_as_of`; a rate
    of 0 switches that limit off. `time_zone` is for sites that Tesla gives none for.
    Samples older than `hourly_after` (30 days, 1 month, never) are kept by the hour, hours older
    than `daily_after` by the day. The archive may be at any address that fsspec knows.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    home: Annotated[Path, AfterValidator(_directory)] = Field(
        default_factory=_default_home, validation_alias="TESSIE_HOME"
    )
    database_url: Annotated[SecretStr, AfterValidator(_postgres_url)] | None = Field(
        None, validation_alias="DATABASE_URL"
    )
    encryption_key: Annotated[SecretStr, AfterValidator(_hex_key)] | None = Field(
        None, validation_alias="ENCRYPTION_KEY"
    )
    tesla_client_id: str | None = Field(None, validation_alias="TESLA_CLIENT_ID")
    tesla_client_secret: SecretStr | None = Field(None, validation_alias="TESLA_CLIENT_SECRET")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias="LOG_LEVEL"
    )
    fleet_api_url: HttpUrl = Field(FLEET_API_URL, validation_alias="TESSIE_FLEET_API_URL")
    token_url: HttpUrl = Field(TOKEN_URL, validation_alias="TESSIE_TOKEN_URL")
    authorize_url: HttpUrl = Field(AUTHORIZE_URL, validation_alias="TESSIE_AUTHORIZE_URL")
    redirect_uri: Annotated[str, AfterValidator(_redirect_uri)] = Field(
        "http://localhost:8484/callback", validation_alias="TESSIE_REDIRECT_URI"
    )
    poll_cron: Annotated[str, AfterValidator(_cron)] = Field(
        "*/5 * * * *", validation_alias="TESSIE_POLL_CRON"
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "UTC", validation_alias="TESSIE_TIME_ZONE"
    )
    requests_per_minute: int = Field(10, ge=0, validation_alias="TESSIE_REQUESTS_PER_MINUTE")
    requests_per_second: int = Field(1, ge=0, validation_alias="TESSIE_REQUESTS_PER_SECOND")
    are_lists_free: bool = Field(True, validation_alias="TESSIE_LIST_CALLS_FREE")
    are_energy_calls_free: bool = Field(False, validation_alias="TESSIE_ENERGY_CALLS_FREE")
    prices_as_of: date = Field(date(2026, 1, 10), validation_alias="TESSIE_PRICES_AS_OF")
    price_data_usd: float = Field(0.002, ge=0, validation_alias="TESSIE_PRICE_DATA_USD")
    price_wake_usd: float = Field(0.02, ge=0, validation_alias="TESSIE_PRICE_WAKE_USD")
    price_command_usd: float = Field(0.001, ge=0, validation_alias="TESSIE_PRICE_COMMAND_USD")
    budget_usd: float = Field(10.0, ge=0, validation_alias="TESSIE_BUDGET_USD")
    vehicle_hourly_after: OptionalAge = Field(
        Age(30, "day"), validation_alias="TESSIE_VEHICLE_HOURLY_AFTER"
    )
    vehicle_daily_after: OptionalAge = Field(
        Age(1, "year"), validation_alias="TESSIE_VEHICLE_DAILY_AFTER"
    )
    archives_vehicles: bool = Field(True, validation_alias="TESSIE_VEHICLE_ARCHIVE")
    energy_hourly_after: OptionalAge = Field(
        Age(30, "day"), validation_alias="TESSIE_ENERGY_HOURLY_AFTER"
    )
    energy_daily_after: OptionalAge = Field(
        Age(1, "year"), validation_alias="TESSIE_ENERGY_DAILY_AFTER"
    )
    archives_energy: bool = Field(True, validation_alias="TESSIE_ENERGY_ARCHIVE")
    archive_url: str | None = Field(None, validation_alias="TESSIE_ARCHIVE")
    backup_directory: Annotated[Path, AfterValidator(_directory)] | None = Field(
        None, validation_alias="TESSIE_BACKUP"
    )
    alert_webhook: Annotated[SecretStr, AfterValidator(_secret_http_url)] | None = Field(
        None, validation_alias="TESSIE_ALERT_WEBHOOK"
    )

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Settings from the environment, then `.env` in `TESSIE_HOME`.

        Args:
            overrides: values that win over both, by the names of their variables.

        Raises:
            SettingsError: a value is wrong; the sentence names the variable and what it should be.
        """
        given = overrides.get("TESSIE_HOME") or os.environ.get("TESSIE_HOME")
        file = Path(given or _default_home()).expanduser() / ".env"
        try:
            return cls(_env_file=file, _env_ignore_empty=True, **overrides)
        except UnicodeDecodeError:
            raise SettingsError(f"{file} should be text in UTF-8") from None
        except ValidationError as error:
            lines = [
                f"{fault['loc'][0]}: {fault['msg'].removeprefix('Value error, ')}"
                for fault in error.errors()
            ]
            raise SettingsError("Wrong settings:\n  " + "\n  ".join(lines)) from None

    def server(self, of_the_account: str | None) -> str:
        """The Fleet API's server that is asked: the one that is set, else the account's own.

        Args:
            of_the_account: the server of the account's region; None where it is not known.
        """
        is_set = "fleet_api_url" in self.model_fields_set
        return self.fleet_api_url if is_set else of_the_account or self.fleet_api_url

    @property
    def archive(self) -> str:
        """The address of the archive."""
        return self.archive_url or str(self.home / "archive")

    @property
    def backups(self) -> Path:
        """The directory of the backups."""
        return self.backup_directory or self.home / "backups"

    def require(self, name: Literal["database_url", "encryption_key", "tesla_client_id"]) -> str:
        """The value of a setting that only some commands need.

        Raises:
            SettingsError: it is not set; the sentence says where to set it.
        """
        value = getattr(self, name)
        if value is None:
            variable = name.upper()
            raise SettingsError(
                f"{variable} is not set: put it in the environment or in {self.home / '.env'}"
            )
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
