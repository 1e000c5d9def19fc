"""OAuth for the Fleet API: a bearer token on each request, renewed before it ends or on a 401.

Where tokens are kept is handed in as a `TokenStore`. Not here: login, and the requests themselves.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol

import httpx
from pydantic import Field, StringConstraints

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.tesla.answers import Answer, UndecodableAnswer, read
from tessie_pipeline.tesla.errors import TerminalApiError, TransientApiError


class TokenStore(Protocol):
    """Where the account's tokens are kept."""

    def read(self) -> Tokens:
        """The stored tokens."""
        ...

    def renew(
        self, is_due: Callable[[Tokens], bool], exchange: Callable[[Tokens], Tokens]
    ) -> Tokens:
        """Under the account's lock, exchange the tokens if they are still due, and keep the new."""
        ...


_Token = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[!-~]+$")]
"""What a header can carry."""


class _TokenAnswer(Answer):
    refresh_token: _Token
    access_token: _Token
    expires_in: Annotated[int, Field(gt=0, le=31_536_000)]


@dataclass(frozen=True)
class TokenEndpoint:
    """Tesla's token endpoint for one client."""

    url: str
    client_id: str

    def exchange(self, tokens: Tokens) -> Tokens:
        """Spend the single-use refresh token on a new pair.

        Raises:
            TerminalApiError: the refresh token is not valid any more; log in again.
            TransientApiError: the endpoint did not answer properly; try again.
        """
        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "refresh_token": tokens.refresh_token,
        }
        sent_at = datetime.now(UTC)
        try:
            response = httpx.post(self.url, data=form, timeout=30)
        except httpx.RequestError as error:
            raise TransientApiError(f"The token endpoint did not answer: {error!r}") from None
        if response.status_code in (401, 403):
            raise TerminalApiError("Tesla does not accept the refresh token any more: log in again")
        if response.status_code != httpx.codes.OK:
            raise TransientApiError(f"The token endpoint answered {response.status_code}")
        try:
            answer = read(_TokenAnswer, response.text)
        except UndecodableAnswer:  # its message may quote a token
            raise TransientApiError("The token endpoint's answer holds no usable tokens") from None
        return Tokens(
            refresh_token=answer.refresh_token,
            access_token=answer.access_token,
            expires_at=sent_at + timedelta(seconds=answer.expires_in),
        )


class TeslaAuth(httpx.Auth):
    """httpx authentication with the account's access token."""

    def __init__(self, store: TokenStore, endpoint: TokenEndpoint) -> None:
        """Read tokens from `store`; renew them at `endpoint`."""
        self._store = store
        self._endpoint = endpoint
        self._tokens: Tokens | None = None

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send with a usable token; on a 401 renew once and send again."""
        tokens = self._usable()
        request.headers["Authorization"] = f"Bearer {tokens.access_token}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            refused = tokens.access_token
            tokens = self._renew(lambda stored: stored.access_token == refused)
            request.headers["Authorization"] = f"Bearer {tokens.access_token}"
            yield request

    def _usable(self) -> Tokens:
        tokens = self._tokens or self._store.read()
        if not tokens.is_usable(datetime.now(UTC)):
            tokens = self._renew(lambda stored: not stored.is_usable(datetime.now(UTC)))
        self._tokens = tokens
        return tokens

    def _renew(self, is_due: Callable[[Tokens], bool]) -> Tokens:
        self._tokens = self._store.renew(is_due, self._endpoint.exchange)
        return self._tokens
