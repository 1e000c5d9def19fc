"""`tessie login`: a person agrees at Tesla's page, or gives a refresh token.

The new tokens are stored before anything else is asked with them. No token or code is printed.
"""

import secrets
import webbrowser
from datetime import UTC, datetime

from rich.console import Console

from tessie_pipeline.cli.account import application_of, ask_secret, recorded, say
from tessie_pipeline.cli.environment import CliError, environment, prepare
from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.accounts import AccountFacts, FactValues
from tessie_pipeline.tesla import login
from tessie_pipeline.tesla.jwt import Claims, read_claims

CALLBACK_PATIENCE_S = 600


def log_in(
    console: Console,
    *,
    opens_browser: bool = False,
    is_pasted: bool = False,
    has_refresh_token: bool = False,
) -> None:
    """Log in through Tesla's page, or with a refresh token that a person has already.

    Raises:
        CliError, SettingsError: a setting is missing, or the database is a simulated household's.
        FleetApiError: Tesla did not grant access.
    """
    settings = Settings.load()
    application = application_of(settings, needs_secret=not has_refresh_token)
    with environment() as env:
        prepare(env)
        account = env.tokens()
        before = account.facts()
        if has_refresh_token:
            given = ask_secret("Refresh token")
        else:
            given = _code(console, settings, opens_browser=opens_browser, is_pasted=is_pasted)
        base_url = _first_url(settings, before, given)
        with recorded(env) as transport:
            endpoint = application.endpoint(transport)
            if has_refresh_token:
                tokens = endpoint.exchange(Tokens(given))
            else:
                tokens = endpoint.exchange_code(
                    given, application.secret(), base_url, settings.redirect_uri
                )
            claims = read_claims(tokens.access_token or "")
            account.log_in(tokens, **_known(claims, base_url))
            region = login.find_region(base_url, tokens.access_token or "", transport)
        account.remember(fleet_api_url=region.fleet_api_url)
        if region.name is not None:
            account.remember(region=region.name)
        _tell_region(console, settings, region, claims)
        if before and before.subject and claims.subject not in (None, before.subject):
            say(console, "This is another Tesla account than before; its data join the others.")
        _tell_scopes(console, claims)
    say(console, "The account is stored. Start with `tessie up`.")


def _code(console: Console, settings: Settings, *, opens_browser: bool, is_pasted: bool) -> str:
    """The code of a person who logs in at Tesla's page."""
    state = secrets.token_urlsafe(32)
    url = login.authorize_url(
        settings.authorize_url, str(settings.tesla_client_id), settings.redirect_uri, state
    )
    if is_pasted:
        _invite(console, url, opens_browser=opens_browser)
        say(console, "Then paste the address that Tesla has sent the browser to; it is not shown.")
        return login.code_in(ask_secret("Address"), state)
    try:
        listener = login.CallbackListener(settings.redirect_uri)
    except OSError as error:
        raise CliError(
            f"Nobody can listen at {settings.redirect_uri} ({error.strerror}): use --paste"
        ) from None
    with listener:
        _invite(console, url, opens_browser=opens_browser)
        say(console, f"Waiting for the browser to come to {settings.redirect_uri} …")
        return listener.wait(state, CALLBACK_PATIENCE_S)


def _invite(console: Console, url: str, *, opens_browser: bool) -> None:
    say(console, "Log in at Tesla:")
    print(url, flush=True)  # as one line, which can be copied
    if opens_browser:
        webbrowser.open(url)


def _first_url(settings: Settings, before: AccountFacts | None, code_or_token: str) -> str:
    """Where to ask first: what is set, else what the code says, else what was known."""
    region = login.region_of(code_or_token)
    if region is not None:
        return settings.server(login.REGIONS[region])
    return settings.server(before.fleet_api_url if before else None)


def _known(claims: Claims, base_url: str) -> FactValues:
    facts: FactValues = {"logged_in_at": datetime.now(UTC), "fleet_api_url": base_url}
    if claims.scopes is not None:
        facts["scopes"] = tuple(sorted(claims.scopes))
    if claims.subject is not None:
        facts["subject"] = claims.subject
    if claims.region is not None:
        facts["region"] = claims.region
    return facts


def _tell_region(
    console: Console, settings: Settings, region: login.Region, claims: Claims
) -> None:
    if region.remark:
        say(console, region.remark, style="yellow")
    else:
        say(console, f"The account lives at {region.fleet_api_url}.")
    if settings.server(region.fleet_api_url) != region.fleet_api_url:
        say(
            console,
            f"TESSIE_FLEET_API_URL is {settings.fleet_api_url}, and that is what is asked.",
            style="yellow",
        )
    elif region.fleet_api_url in set(login.REGIONS.values()) - set(claims.audience):
        say(console, "The token is for another region: log in once more.", style="yellow")


def _tell_scopes(console: Console, claims: Claims) -> None:
    if claims.scopes is None:
        say(console, "Tesla does not say which scopes were granted.", style="yellow")
        return
    missing = login.missing_scopes(claims.scopes)
    for scope, cost in missing.items():
        say(console, f"Not granted: {scope}: {cost}.", style="yellow")
    if not missing:
        say(console, "All scopes that are used were granted.")
