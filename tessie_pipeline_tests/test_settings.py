"""Settings: where they come from, what is wrong with a wrong one, and what never shows."""

import traceback
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from tessie_pipeline.settings import Settings, SettingsError

VARIABLES = [str(field.validation_alias) for field in Settings.model_fields.values()]
KEY = "0123456789abcdefABCDEF0123456789" * 2


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home, and an environment that says nothing else."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("TESSIE_HOME", str(tmp_path))
    return tmp_path


def write_env(home: Path, *lines: str) -> None:
    (home / ".env").write_text("\n".join(lines))


def test_nothing_has_to_be_set(home: Path) -> None:
    settings = Settings.load()
    assert settings.home == home
    assert settings.database_url is None
    assert settings.encryption_key is None
    assert settings.fleet_api_url == "https://fleet-api.prd.na.vn.cloud.tesla.com"
    assert settings.token_url == "https://fleet-auth.prd.vn.cloud.tesla.com/oauth2/v3/token"
    # Tesla's billing page: 500 data requests, 50 wakes or 1,000 commands for a dollar.
    prices = (settings.price_data_usd, settings.price_wake_usd, settings.price_command_usd)
    assert prices == (1 / 500, 1 / 50, 1 / 1000)


def test_without_a_home_it_is_in_the_users_own_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TESSIE_HOME")
    home = Settings.load().home
    assert home.name == "tessie_pipeline"
    assert tmp_path / "user" in home.parents
    home.mkdir(parents=True)
    write_env(home, "LOG_LEVEL=DEBUG")
    assert Settings.load().log_level == "DEBUG"


def test_each_variable_sets_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "DATABASE_URL": "postgresql://ann:hush@db.example:5432/tessie",
        "ENCRYPTION_KEY": KEY,
        "TESLA_CLIENT_ID": "client",
        "TESLA_CLIENT_SECRET": "hush",
        "LOG_LEVEL": "WARNING",
        "TESSIE_FLEET_API_URL": "http://127.0.0.1:4433/",
        "TESSIE_TOKEN_URL": "http://127.0.0.1:4433/oauth2/v3/token",
        "TESSIE_POLL_CRON": "0,30 6-22 * * 1-5",
        "TESSIE_TIME_ZONE": "Europe/Berlin",
        "TESSIE_REQUESTS_PER_MINUTE": "60",
        "TESSIE_REQUESTS_PER_SECOND": "0",
        "TESSIE_AUTHORIZE_URL": "http://127.0.0.1:4433/oauth2/v3/authorize",
        "TESSIE_REDIRECT_URI": "http://localhost:9000/back",
        "TESSIE_LIST_CALLS_FREE": "false",
        "TESSIE_ENERGY_CALLS_FREE": "true",
        "TESSIE_BUDGET_USD": "25",
        "TESSIE_ALERT_WEBHOOK": "https://hooks.example/hush",
        "TESSIE_PRICES_AS_OF": "2027-02-03",
        "TESSIE_PRICE_DATA_USD": "0",
        "TESSIE_PRICE_WAKE_USD": "0.05",
        "TESSIE_PRICE_COMMAND_USD": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == values["DATABASE_URL"]
    assert settings.require("encryption_key") == KEY
    assert settings.require("tesla_client_id") == "client"
    assert settings.tesla_client_secret is not None
    assert settings.tesla_client_secret.get_secret_value() == "hush"
    assert settings.log_level == "WARNING"
    assert settings.fleet_api_url == "http://127.0.0.1:4433"
    assert settings.token_url == "http://127.0.0.1:4433/oauth2/v3/token"
    assert settings.poll_cron == "0,30 6-22 * * 1-5"
    assert settings.time_zone == "Europe/Berlin"
    assert (settings.requests_per_minute, settings.requests_per_second) == (60, 0)
    assert (settings.price_data_usd, settings.price_wake_usd) == (0, 0.05)
    assert settings.price_command_usd == 1
    assert settings.authorize_url == "http://127.0.0.1:4433/oauth2/v3/authorize"
    assert settings.redirect_uri == "http://localhost:9000/back"
    assert (settings.are_lists_free, settings.are_energy_calls_free) == (False, True)
    assert settings.budget_usd == 25
    assert settings.prices_as_of == date(2027, 2, 3)
    assert settings.alert_webhook is not None
    assert settings.alert_webhook.get_secret_value() == "https://hooks.example/hush"


WRONG = {
    "DATABASE_URL": ("mysql://ann:hush-hush@db/tessie", "postgresql://user:password@host"),
    "ENCRYPTION_KEY": ("hush-hush", "64 hexadecimal characters"),
    "LOG_LEVEL": ("LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    "TESSIE_FLEET_API_URL": ("fleet-api.example", "http(s) address"),
    "TESSIE_TOKEN_URL": ("ftp://fleet-auth.example", "http(s) address"),
    "TESSIE_AUTHORIZE_URL": ("auth.example", "http(s) address"),
    "TESSIE_REDIRECT_URI": ("localhost/callback", "http(s) address"),
    "TESSIE_LIST_CALLS_FREE": ("often", "boolean"),
    "TESSIE_ENERGY_CALLS_FREE": ("maybe", "boolean"),
    "TESSIE_BUDGET_USD": ("-1", "greater than or equal to 0"),
    "TESSIE_ALERT_WEBHOOK": ("hooks.example/hush-hush", "http(s) address"),
    "TESSIE_POLL_CRON": ("often", "five fields such as */5 * * * *"),
    "TESSIE_TIME_ZONE": ("Germany", "IANA time zone such as Europe/Berlin"),
    "TESSIE_REQUESTS_PER_MINUTE": ("many", "integer"),
    "TESSIE_REQUESTS_PER_SECOND": ("-1", "greater than or equal to 0"),
    "TESSIE_PRICES_AS_OF": ("lately", "date"),
    "TESSIE_PRICE_DATA_USD": ("free", "number"),
    "TESSIE_PRICE_WAKE_USD": ("nan", "greater than or equal to 0"),
    "TESSIE_PRICE_COMMAND_USD": ("-0.1", "greater than or equal to 0"),
    "TESSIE_VEHICLE_HOURLY_AFTER": ("0 days", "30 days, 1 month, 2 years or never"),
    "TESSIE_VEHICLE_DAILY_AFTER": ("a year", "30 days, 1 month, 2 years or never"),
    "TESSIE_VEHICLE_ARCHIVE": ("perhaps", "boolean"),
    "TESSIE_ENERGY_HOURLY_AFTER": ("30", "30 days, 1 month, 2 years or never"),
    "TESSIE_ENERGY_DAILY_AFTER": ("forever", "30 days, 1 month, 2 years or never"),
    "TESSIE_ENERGY_ARCHIVE": ("perhaps", "boolean"),
}


def test_a_wrong_value_is_tried_for_every_variable_that_can_be_wrong() -> None:
    texts = {"TESLA_CLIENT_ID", "TESLA_CLIENT_SECRET", "TESSIE_ARCHIVE"}
    directories = {"TESSIE_HOME", "TESSIE_BACKUP"}
    assert set(VARIABLES) - texts - directories == set(WRONG)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        *((name, value, hint) for name, (value, hint) in WRONG.items()),
        ("DATABASE_URL", "db.example/tessie", "postgresql://user:password@host"),
        ("DATABASE_URL", "postgresql://db.example", "postgresql://user:password@host"),
        ("ENCRYPTION_KEY", KEY[1:], "64 hexadecimal characters"),
        ("ENCRYPTION_KEY", KEY + "0", "64 hexadecimal characters"),
        ("ENCRYPTION_KEY", "g" + KEY[1:], "64 hexadecimal characters"),
        ("TESSIE_POLL_CRON", "* * * *", "five fields"),
        ("TESSIE_POLL_CRON", "* * * * * *", "five fields"),
        ("LOG_LEVEL", " ", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_should_be(
    monkeypatch: pytest.MonkeyPatch, home: Path, name: str, value: str, hint: str
) -> None:
    write_env(home, f"{name}='{value}'")
    with pytest.raises(SettingsError) as from_file:
        Settings.load()
    (home / ".env").unlink()
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as from_environment:
        Settings.load()
    for error in (from_file, from_environment):
        heading, line = str(error.value).splitlines()
        assert heading == "Wrong settings:"
        assert line.startswith(f"  {name}: ")
        assert hint in line


def test_all_wrong_values_are_named_at_once_and_none_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, (value, _) in WRONG.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        Settings.load()
    lines = str(error.value).splitlines()[1:]
    assert {line.split(":")[0].strip() for line in lines} == set(WRONG)
    assert "hush-hush" not in "".join(traceback.format_exception(error.value))
    assert "hush-hush" not in f"{error.value!r} {error.value.__context__}"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "DATABASE_URL": "postgresql://ann:hush-hush@db.example/tessie",
        "ENCRYPTION_KEY": KEY,
        "TESLA_CLIENT_SECRET": "hush-hush",
        "TESSIE_ALERT_WEBHOOK": "https://hooks.example/hush-hush",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    for text in (repr(settings), str(settings), f"{settings.model_dump()}",
                 settings.model_dump_json()):  # fmt: skip
        assert "hush-hush" not in text
        assert KEY not in text


def test_the_environment_wins_over_the_file_and_a_given_value_over_both(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    write_env(
        home,
        "# a comment",
        "UNKNOWN=1",
        "LOG_LEVEL=DEBUG",
        "export TESLA_CLIENT_ID=from-file",
        "TESSIE_POLL_CRON='1 * * * *'",
    )
    monkeypatch.setenv("TESLA_CLIENT_ID", "from-environment")
    monkeypatch.setenv("TESSIE_POLL_CRON", "2 * * * *")
    settings = Settings.load(TESSIE_POLL_CRON="3 * * * *")
    assert settings.log_level == "DEBUG"
    assert settings.tesla_client_id == "from-environment"
    assert settings.poll_cron == "3 * * * *"


def test_a_home_may_begin_with_that_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TESSIE_HOME", "~/tessie")
    (tmp_path / "tessie").mkdir()
    (tmp_path / "tessie" / ".env").write_text("TESLA_CLIENT_ID=mine")

    settings = Settings.load()

    assert (settings.home, settings.tesla_client_id) == (tmp_path / "tessie", "mine")


def test_a_file_that_is_no_text_is_named(home: Path) -> None:
    (home / ".env").write_bytes(b"LOG_LEVEL=\xff")

    with pytest.raises(SettingsError, match=r"\.env should be text in UTF-8"):
        Settings.load()


def test_an_empty_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    write_env(home, "LOG_LEVEL=ERROR", "ENCRYPTION_KEY=", "TESSIE_TIME_ZONE=''")
    for name in VARIABLES:
        if name != "TESSIE_HOME":
            monkeypatch.setenv(name, "")
    settings = Settings.load()
    assert settings.log_level == "ERROR"
    assert settings.encryption_key is None
    assert settings.tesla_client_id is None
    assert settings.time_zone == "UTC"
    monkeypatch.setenv("TESSIE_HOME", "")
    assert Settings.load().home.name == "tessie_pipeline"


@pytest.mark.parametrize("name", ["encryption_key", "tesla_client_id"])
def test_a_setting_that_is_needed_and_missing_says_where_to_put_it(home: Path, name: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.load().require(name)  # type: ignore[arg-type]
    assert str(error.value) == (
        f"{name.upper()} is not set: put it in the environment or in {home}/.env"
    )


def test_settings_do_not_change_after_they_were_read() -> None:
    settings = Settings.load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.log_level = "DEBUG"  # type: ignore[misc]
