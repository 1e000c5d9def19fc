"""OAuth for the Fleet API: a bearer token on each request, renewed before it ends or on a 401.

Where tokens are kept is handed in as a `TokenStore`. Not here: how a person logs in (`login`), and
the requests themselves.
"""

import logging
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol, TypeVar

import httpx
from pydantic import Field, StringConstraints

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.tesla.answers import Answer, UndecodableAnswer, read
from tessie_pipeline.tesla.endpoints import TOKEN
from tessie_pipeline.tesla.error_answers import decode_error
from tessie_pipeline.tesla.errors import FleetApiError, TerminalApiError, TransientApiError
from tessie_pipeline.tesla.recording import Transport, extensions, unrecorded

TIMEOUT = httpx.Timeout(15, connect=5)
"""Of a request to the token endpoint; others wait for the account's lock meanwhile."""

_TERMINAL = frozenset({400, 401, 403})
_LOGIN_LOST = frozenset({"login_required", "invalid_grant"})
_ERROR_CODE = re.compile(r"[A-Za-z_]{1,40}")

# At DEBUG it logs every header that HTTP/2 sends, and so the token.
logging.getLogger("hpack").setLevel(logging.INFO)


class LoginRequired(TerminalApiError):
    """Tesla does not accept the refresh token any more; only a login mends that."""


class TokenStore(Protocol):
    """Where the account's tokens are kept."""

    def read(self) -> Tokens:
        """The stored tokens."""
        ...

    def renew(
        self, is_due: Callable[[Tokens], bool], exchange: Callable[[Tokens], Tokens]
    ) -> Tokens:
        """Under the account's lock, exchange the tokens if they are still due, and keep the new.

        Raises:
            TimeoutError: others have held the lock for too long.
        """
        ...


_Token = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[!-~]+$")]
"""What a header can carry."""


class _AccessAnswer(Answer):
    access_token: _Token
    expires_in: Annotated[int, Field(gt=0, le=31_536_000)]


class _TokenAnswer(_AccessAnswer):
    refresh_token: _Token


class _LoginAnswer(_AccessAnswer):
    refresh_token: _Token | None = None


_AnswerT = TypeVar("_AnswerT", bound=Answer)


@dataclass(frozen=True)
class TokenEndpoint:
    """Tesla's token endpoint for one client; requests as in `fleet_api.md` section 1.

    All methods raise:
        TransientApiError: the endpoint did not answer properly; try again.
        TerminalApiError: it refused; the sentence holds Tesla's word for it, never a secret.
    """

    url: str
    client_id: str
    transport: Transport = unrecorded

    def exchange(self, tokens: Tokens) -> Tokens:
        """Spend the single-use refresh token on a new pair.

        Raises:
            LoginRequired: the refresh token is not valid any more.
        """
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        sent_at = datetime.now(UTC)
        answer = self._ask(_TokenAnswer, form)
        return Tokens(answer.refresh_token, answer.access_token, _end(sent_at, answer))

    def exchange_code(
        self, code: str, client_secret: str, audience: str, redirect_uri: str
    ) -> Tokens:
        """The first pair of a login, for its single-use code; `audience` is a region's server."""
        form = {
            "grant_type": "authorization_code",
            "client_secret": client_secret,
            "code": code,
            "audience": audience,
            "redirect_uri": redirect_uri,
        }
        sent_at = datetime.now(UTC)
        answer = self._ask(_LoginAnswer, form)
        if answer.refresh_token is None:
            raise TerminalApiError(
                "Tesla gave no refresh token: log in again and grant offline_access"
            )
        return Tokens(answer.refresh_token, answer.access_token, _end(sent_at, answer))

    def partner_token(self, client_secret: str, audience: str, scopes: str) -> str:
        """An access token of the application itself, for a region's server."""
        form = {
            "grant_type": "client_credentials",
            "client_secret": client_secret,
            "scope": scopes,
            "audience": audience,
        }
        return self._ask(_AccessAnswer, form).access_token

    def _ask(self, model: type[_AnswerT], fields: Mapping[str, str]) -> _AnswerT:
        form = {**fields, "client_id": self.client_id}
        try:
            with httpx.Client(transport=self.transport(), timeout=TIMEOUT) as http:
                response = http.post(self.url, data=form, extensions=extensions(TOKEN))
        except httpx.RequestError as error:
            raise TransientApiError(f"The token endpoint did not answer: {error!r}") from None
        if response.status_code != httpx.codes.OK:
            raise _refusal(response, form)
        try:
            return read(model, response.text)
        except UndecodableAnswer:  # its message may quote a token
            raise TransientApiError("The token endpoint's answer holds no usable tokens") from None


class TeslaAuth(httpx.Auth):
    """httpx authentication with the account's access token."""

    def __init__(
        self,
        store: TokenStore,
        endpoint: TokenEndpoint,
        on_login_lost: Callable[[LoginRequired], None] = lambda _: None,
    ) -> None:
        """Read tokens from `store`; renew them at `endpoint`.

        `on_login_lost` is called while the account's lock is held, so that a login at the same
        time comes after it.
        """
        self._store = store
        self._endpoint = endpoint
        self._on_login_lost = on_login_lost
        self._tokens: Tokens | None = None
        self._renewed_in_vain: str | None = None

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send with a usable token; on a 401 renew once and send again.

        A token that was refused although it was new is not renewed again: it is not to blame.
        """
        tokens = self._usable()
        request.headers["Authorization"] = f"Bearer {tokens.access_token}"
        response = yield request
        refused = tokens.access_token
        if response.status_code != httpx.codes.UNAUTHORIZED or refused == self._renewed_in_vain:
            return
        tokens = self._renew(lambda stored: stored.access_token == refused)
        request.headers["Authorization"] = f"Bearer {tokens.access_token}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._renewed_in_vain = tokens.access_token

    def _usable(self) -> Tokens:
        tokens = self._tokens or self._store.read()
        if not tokens.is_usable(datetime.now(UTC)):
            tokens = self._renew(lambda stored: not stored.is_usable(datetime.now(UTC)))
        self._tokens = tokens
        return tokens

    def _renew(self, is_due: Callable[[Tokens], bool]) -> Tokens:
        try:
            self._tokens = self._store.renew(is_due, self._exchange)
        except TimeoutError as error:
            raise TransientApiError(str(error)) from None
        return self._tokens

    def _exchange(self, tokens: Tokens) -> Tokens:
        try:
            return self._endpoint.exchange(tokens)
        except LoginRequired as error:
            self._on_login_lost(error)
            raise


def _end(sent_at: datetime, answer: _AccessAnswer) -> datetime:
    return sent_at + timedelta(seconds=answer.expires_in)


def _refusal(response: httpx.Response, form: Mapping[str, str]) -> FleetApiError:
    facts = decode_error(response.status_code, response.headers, response.text)
    code = facts.message.partition(":")[0]
    # Whatever the endpoint echoes, only a word that is Tesla's own is shown.
    if not _ERROR_CODE.fullmatch(code) or code in form.values():
        code = ""
    if facts.status not in _TERMINAL or code == "server_error":
        said = f"{facts.status} {code}".strip()
        return TransientApiError(f"The token endpoint answered {said}", facts.retry_after_s)
    if form["grant_type"] == "refresh_token" and code in _LOGIN_LOST:
        return LoginRequired(
            "Tesla does not accept the refresh token any more "
            f"({code or facts.status}): log in again with `tessie login`"
        )
    return TerminalApiError(f"The token endpoint refused: {facts.status} {code}".strip())
