"""The user's account as sign-in sees it: consent, codes, registration and region.

Tokens themselves are in `tokens.py`.
"""

from dataclasses import dataclass, field
from secrets import token_hex

from tessie_pipeline.simulator.errors import ApiError, oauth_error


@dataclass(frozen=True)
class Consent:
    """What the user does on Tesla's consent page: unticks scopes, or denies all."""

    unticked: frozenset[str] = frozenset()
    is_denied: bool = False

    def granted(self, scopes: list[str], is_all_required: bool) -> list[str] | None:
        """The scopes the user grants of those asked for; None if they refuse.

        A page that requires all scopes (`require_requested_scopes`) is refused by a user who
        would untick one.
        """
        kept = [scope for scope in scopes if scope not in self.unticked]
        if self.is_denied or (is_all_required and kept != scopes):
            return None
        return kept


@dataclass(frozen=True)
class _Code:
    client_id: str
    redirect_uri: str
    scopes: str


@dataclass
class Account:
    """What belongs to the account rather than to a call.

    Attributes:
        consent: what the user does on the consent page.
        is_registered: whether the app registered its domain in this region.
        base_url: the server of the user's region if it is not this one.
    """

    consent: Consent = field(default_factory=Consent)
    is_registered: bool = True
    base_url: str | None = None
    _codes: dict[str, _Code] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """Tesla's name of the user's region."""
        url = self.base_url or ""
        return next((name for name in ("eu", "cn") if f".{name}." in url), "na")

    def code(self, client_id: str, redirect_uri: str, scopes: list[str]) -> str:
        """A new authorization code for granted scopes."""
        code = f"{self.region.upper()}_{token_hex(32)}"
        self._codes[code] = _Code(client_id, redirect_uri, " ".join(scopes))
        return code

    def redeem(self, code: str, client_id: str, redirect_uri: str) -> str:
        """Scopes of a code, which is used up by that.

        Raises:
            ApiError: 400, the code is unknown, used, another client's or another address's.
        """
        issued = self._codes.get(code)
        if issued is None or issued.client_id != client_id:
            raise _invalid_code()
        if issued.redirect_uri != redirect_uri:
            raise oauth_error(
                400,
                "invalid_redirect_url",
                "The authorize redirect URI and token redirect URI must match.",
            )
        del self._codes[code]
        return issued.scopes


def _invalid_code() -> ApiError:
    return oauth_error(
        400,
        "invalid_auth_code",
        'The "code" in request body is invalid, generate a new one and try again.',
    )
