"""Logging in and out, the state of the account, and registering, against the simulator."""

import io
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.calls import Hold
from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.server import serving
from tessie_pipeline.simulator.tokens import INITIAL_REFRESH_TOKEN
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.calls.holds import put_hold
from tessie_pipeline.store.database import Database
from tessie_pipeline.tesla.login import REGIONS
from tessie_pipeline_tests.cli.conftest import Result, Tessie
from tessie_pipeline_tests.tesla.test_login import free_address

KEY = "0123456789abcdef" * 4
SECRET = "the-clients-secret"


@pytest.fixture
def url() -> Iterator[str]:
    """Address of a simulator."""
    with serving(Fleet(vehicles=1), Clock(speed=0)) as url:
        yield url


@dataclass
class Person:
    """Someone at a terminal, whose browser logs in at the simulator; it keeps what was secret."""

    tessie: Tessie
    database: Database
    url: str
    caplog: pytest.LogCaptureFixture
    patch: pytest.MonkeyPatch
    secrets: set[str] = field(default_factory=lambda: {KEY, SECRET})

    def __call__(self, *arguments: str, typed: str = "", **variables: str) -> Result:
        """Run a command, of which no output or log may hold a secret."""
        settings = {
            "DATABASE_URL": self.database.url(),
            "ENCRYPTION_KEY": KEY,
            "TESLA_CLIENT_ID": "me",
            "TESLA_CLIENT_SECRET": SECRET,
            "TESSIE_FLEET_API_URL": self.url,
            "TESSIE_TOKEN_URL": f"{self.url}/oauth2/v3/token",
            "TESSIE_AUTHORIZE_URL": f"{self.url}/oauth2/v3/authorize",
            "TESSIE_REDIRECT_URI": free_address(),
        }
        stdin = io.StringIO(typed)
        self.patch.setattr("sys.stdin", stdin)
        is_pasted = "--paste" in arguments
        self.patch.setattr("webbrowser.open", lambda url: self._browse(url, is_pasted, stdin))
        result = self.tessie(*arguments, **{**settings, **variables})
        tokens = self.tokens()
        if tokens:
            self.secrets |= {tokens.refresh_token, str(tokens.access_token)}
        shown = f"{result} {self.caplog.text}"
        assert not [secret for secret in self.secrets if secret in shown]
        assert "Traceback" not in shown
        return result

    def tokens(self) -> Tokens | None:
        """The stored tokens."""
        account = SealedTokens(self.database, KEY)
        facts = account.facts()
        return account.read() if facts and facts.refresh_token_received_at else None

    def calls(self) -> list[tuple[str, int, str, str | None]]:
        """The requests to Tesla so far: endpoint, status, category, error."""
        query = "select endpoint, status, category, error from api_calls order by requested_at"
        with self.database.rows() as rows:
            return [tuple(call) for call in rows.execute(sa.text(query))]

    def set(self, what: str, **values: object) -> None:
        """Set what the simulator does from now on."""
        httpx.post(f"{self.url}/simulator/{what}", json=values).raise_for_status()

    def _browse(self, url: str, is_pasted: bool, stdin: io.StringIO) -> None:
        """Log in; the browser follows to the listener, or its address is pasted."""
        with httpx.Client() as http:
            address = http.get(url).headers["Location"]
        self.secrets |= set(parse_qs(urlsplit(address).query).get("code", []))
        self.caplog.clear()  # the browser's own request was logged
        if is_pasted:
            stdin.write(address)
            stdin.seek(0)
        else:
            threading.Thread(target=follow, args=(address,)).start()


def follow(address: str) -> None:
    """Go where Tesla sends the browser, without a log."""
    try:
        with urllib.request.urlopen(address, timeout=10):  # noqa: S310 - an http address
            pass
    except OSError:
        return


@pytest.fixture
def person(
    tmp_path: Path,
    database: Database,
    url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Person:
    """Someone with an application who has not logged in."""
    caplog.set_level("DEBUG")
    return Person(Tessie(tmp_path), database, url, caplog, monkeypatch)


def test_a_login_stores_the_account_and_says_what_it_may_do(person: Person) -> None:
    with person.database.rows() as rows:
        put_hold(rows, Hold("", 0, None, "login_required", "log in again"))
    result = person("login", "--browser")
    assert result.returncode == 0, result.stderr
    assert f"Log in at Tesla: {person.url}/oauth2/v3/authorize?" in result.stdout
    assert "All scopes that are used were granted" in result.stdout
    state = person("auth").stdout
    assert "Account 00000000-0000-4000-8000-000000000001" in state
    assert f"Region NA, {person.url}" in state
    assert "vehicle_location" in state
    assert "Access token ends in 7 h" in state
    assert "Key opens the tokens" in state
    assert "On hold" not in state
    tokens = person.tokens()
    assert tokens
    headers = {"Authorization": f"Bearer {tokens.access_token}"}
    assert httpx.get(f"{person.url}/api/1/products", headers=headers).status_code == 200


def test_what_a_login_and_a_registration_ask_is_in_the_book_of_calls(person: Person) -> None:
    person("register", "--domain", "me.example")
    person("login", "--browser")
    assert person.calls() == [
        ("POST /oauth2/v3/token", 200, "free", None),
        ("POST /api/1/partner_accounts", 200, "free", None),
        ("POST /oauth2/v3/token", 200, "free", None),
        ("GET /api/1/users/region", 200, "free", None),
    ]


def test_of_a_refused_token_request_the_book_quotes_nothing(person: Person) -> None:
    person("login", "--refresh-token", typed="NA_no_such_token\n")
    assert person.calls() == [("POST /oauth2/v3/token", 401, "free", "Unauthorized")]


def test_the_address_can_be_pasted(person: Person) -> None:
    result = person("login", "--paste", "--browser")
    assert result.returncode == 0, result.stderr
    assert "paste the address" in result.stdout
    assert person.tokens()


def test_a_pasted_address_of_another_login_is_refused(person: Person) -> None:
    result = person("login", "--paste", typed="http://localhost/callback?code=NA_1&state=other")
    assert (result.returncode, person.tokens()) == (1, None)
    assert "not the answer to this login" in result.stderr


def test_a_refresh_token_that_exists_is_taken(person: Person) -> None:
    person.secrets.add(INITIAL_REFRESH_TOKEN)
    result = person("login", "--refresh-token", typed=INITIAL_REFRESH_TOKEN, TESLA_CLIENT_SECRET="")
    assert result.returncode == 0, result.stderr
    assert person.tokens()


def test_a_refresh_token_that_tesla_refuses_is_said_in_a_sentence(person: Person) -> None:
    person.secrets.add("NA_not-a-token")
    result = person("login", "--refresh-token", typed="NA_not-a-token")
    assert (result.returncode, person.tokens()) == (1, None)
    assert "does not accept the refresh token any more (login_required)" in result.stderr


def test_what_was_not_granted_is_said_with_what_it_costs(person: Person) -> None:
    person.set("consent", untick=["vehicle_location"])
    result = person("login", "--browser")
    assert result.returncode == 0, result.stderr
    assert "Not granted: vehicle_location: no coordinates, so no places." in result.stdout
    assert "Missing vehicle_location: no coordinates, so no places" in person("auth").stdout


@pytest.mark.parametrize(
    ("consent", "sentence"),
    [
        ({"untick": ["offline_access"]}, "log in again and grant offline_access"),
        ({"deny": True}, "Tesla did not grant access: access_denied"),
    ],
    ids=["no refresh token", "denied"],
)
def test_a_login_that_is_not_granted_stores_nothing(
    person: Person, consent: dict[str, object], sentence: str
) -> None:
    person.set("consent", **consent)
    result = person("login", "--browser")
    assert (result.returncode, person.tokens()) == (1, None)
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("registration", {"is_registered": False}), "run `tessie register`"),
        (("region", {"base_url": REGIONS["EU"]}), f"The account lives at {REGIONS['EU']}"),
    ],
    ids=["412", "421"],
)
def test_a_region_that_does_not_answer_is_said_in_words(
    person: Person, change: tuple[str, dict[str, object]], said: str
) -> None:
    person.set(change[0], **change[1])
    result = person("login", "--browser")
    assert result.returncode == 0, result.stderr
    assert said in result.stdout
    assert person.tokens()


@pytest.mark.parametrize(
    ("command", "unset", "sentence"),
    [
        (["login"], ["TESLA_CLIENT_ID", "TESLA_CLIENT_SECRET"], "Set TESLA_CLIENT_ID and TESLA_"),
        (["login"], ["TESLA_CLIENT_SECRET"], "Set TESLA_CLIENT_SECRET to"),
        (["login", "--refresh-token"], ["TESLA_CLIENT_ID"], "Set TESLA_CLIENT_ID to"),
        (["register", "--domain", "me.example"], ["TESLA_CLIENT_SECRET"], "Set TESLA_CLIENT_SECR"),
    ],
)
def test_what_is_not_set_is_named(
    person: Person, command: list[str], unset: list[str], sentence: str
) -> None:
    result = person(*command, **dict.fromkeys(unset, ""))
    assert result.returncode == 1
    assert sentence in result.stderr
    assert "docs/tesla-setup.md" in result.stderr


def test_who_logs_out_is_forgotten_and_can_log_in_again(person: Person) -> None:
    assert "Nobody was logged in" in person("logout").stdout
    person("login", "--browser")
    assert "The tokens are forgotten; the data stay" in person("logout").stdout
    assert person.tokens() is None
    state = person("auth").stdout
    assert "Refresh token no" in state
    assert "Key nothing is sealed" in state
    assert person("login", "--browser").returncode == 0
    assert person.tokens()


def test_a_login_mends_a_revocation(person: Person) -> None:
    person("login", "--browser")
    before = person.tokens()
    person.set("revoke")
    assert person("login", "--browser").returncode == 0
    assert person.tokens() != before


def test_the_state_of_no_account_and_of_another_key_is_a_sentence(person: Person) -> None:
    assert "No Tesla account is stored" in person("auth").stdout
    person("login", "--browser")
    state = person("auth", ENCRYPTION_KEY="f" * 64).stdout
    assert "Key ENCRYPTION_KEY does not open the stored tokens" in state


@pytest.mark.parametrize("command", [["login", "--browser"], ["logout"]])
def test_the_simulators_household_is_not_logged_in_or_out(
    person: Person, command: list[str]
) -> None:
    SealedTokens(person.database, KEY).save(Tokens(INITIAL_REFRESH_TOKEN), is_simulated=True)
    result = person(*command)
    assert result.returncode == 1
    assert "simulat" in result.stderr


def test_an_application_is_registered_and_then_knows_the_region(person: Person) -> None:
    person.set("registration", is_registered=False)
    result = person("register", "--domain", "me.example")
    assert result.returncode == 0, result.stderr
    assert f"me.example is registered at {person.url}" in result.stdout
    assert "run `tessie register`" not in person("login", "--browser").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--domain", "https://me.example"], "Invalid domain"),
        (["--domain", "me.example", "--region", "MARS"], "--region should be one of NA, EU, CN"),
    ],
)
def test_a_registration_that_is_refused_says_why(
    person: Person, arguments: list[str], sentence: str
) -> None:
    result = person("register", *arguments)
    assert result.returncode == 1
    assert sentence in f"{result.stdout} {result.stderr}"


def test_a_taken_port_is_said_in_a_sentence(person: Person) -> None:
    result = person("login", TESSIE_REDIRECT_URI=f"{person.url}/callback")
    assert result.returncode == 1
    assert "Nobody can listen at" in result.stderr
