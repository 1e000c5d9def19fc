"""Tesla's OAuth tokens: JWT-shaped access tokens of 8 h and refresh tokens for single use.

The last used refresh token works for 24 h more, as grace for a client that did not store its
successor. Tokens live in wall time, and signed ones outlive a restart of the simulator. Those of
a generation before the last revocation are refused.
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from tessie_pipeline.simulator.errors import (
    invalid_bearer,
    login_required,
    token_expired,
)

ACCESS_TOKEN_S = 28_800
GRACE_S = 86_400
SCOPES = (
    "openid offline_access user_data vehicle_device_data vehicle_location vehicle_cmds "
    "vehicle_charging_cmds energy_device_data energy_cmds"
)
_KEY = b"a simulator keeps no secrets"


def _signature(text: str) -> str:
    digest = hmac.new(_KEY, text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _decoded(part: str) -> dict[str, Any]:
    value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return dict(value)


def _refresh_token(family: str, scopes: str, generation: int) -> str:
    """A refresh token that says which sign-in it descends from and what that granted."""
    claims = {"scp": scopes, "jti": secrets.token_hex(8), "gen": generation}
    body = f"{family}.{_encoded(claims)}"
    return f"NA_simulator.{body}.{_signature(body)[:16]}"


_INITIAL_BODY = f"initial.{_encoded({'scp': SCOPES, 'jti': '0'})}"
INITIAL_REFRESH_TOKEN = f"NA_simulator.{_INITIAL_BODY}.{_signature(_INITIAL_BODY)[:16]}"


@dataclass
class _Family:
    """The refresh tokens of one sign-in: those not used yet and the last one used."""

    unused: set[str] = field(default_factory=set)
    last_used: str | None = None
    last_used_s: float = 0.0


@dataclass
class Spent:
    """What became of refresh tokens: first uses, uses within the grace period, refusals."""

    refreshes: int = 0
    grace_uses: int = 0
    refused: int = 0


class Tokens:
    """Gives tokens and checks them. All instants are wall time [unix s]."""

    def __init__(self, issuer: str = "https://auth.tesla.com/oauth2/v3/thirdparty") -> None:
        self._issuer = issuer
        self._families: dict[str, _Family] = {}
        self._generation = 0
        self._spent = Spent()

    @property
    def spent(self) -> dict[str, int]:
        """How many refresh tokens were used, used again in their grace period, and refused."""
        return asdict(self._spent)

    def sign_in(self, client_id: str, scopes: str, now_s: float) -> dict[str, Any]:
        """The answer to an authorization code: access token and, with offline_access, refresh."""
        scopes = scopes or SCOPES
        if "offline_access" not in scopes.split():
            return self._access(client_id, scopes, now_s)
        return self._pair(secrets.token_hex(4), client_id, scopes, now_s)

    def partner(self, client_id: str, scopes: str, now_s: float) -> dict[str, Any]:
        """The answer to client credentials: an access token only."""
        return self._access(client_id, scopes or SCOPES, now_s, gty=["client-credentials"])

    def revoke(self) -> None:
        """Refuse all tokens given so far."""
        self._generation += 1
        self._families.clear()

    def refresh(self, token: str, client_id: str, now_s: float) -> dict[str, Any]:
        """A new pair for a refresh token.

        A token of a sign-in this process has not seen counts as current, so that a restarted
        simulator does not lock its clients out.

        Raises:
            ApiError: 401 login_required; the token was used and its grace is over, or revoked.
        """
        read = _read_refresh_token(token)
        if read is None or read.generation < self._generation:
            self._spent.refused += 1
            raise login_required()
        family_name, scopes = read.family, read.scopes
        family = self._families.get(family_name) or _Family(unused={token})
        in_grace = token == family.last_used and now_s < family.last_used_s + GRACE_S
        if token not in family.unused and not in_grace:
            self._spent.refused += 1
            raise login_required()
        if in_grace:
            self._spent.grace_uses += 1
        else:
            self._spent.refreshes += 1
            family = _Family(last_used=token, last_used_s=now_s)
        self._families[family_name] = family
        return self._pair(family_name, client_id, scopes, now_s)

    def claims(self, authorization: str | None, now_s: float) -> dict[str, Any]:
        """What the access token in an Authorization header says.

        Raises:
            ApiError: 401, no token, a foreign one, or one that expired or was revoked.
        """
        scheme, _, token = (authorization or "").partition(" ")
        parts = token.strip().split(".")
        if scheme.lower() != "bearer" or len(parts) != 3:
            raise invalid_bearer()
        if not hmac.compare_digest(_signature(f"{parts[0]}.{parts[1]}"), parts[2]):
            raise invalid_bearer()
        claims = _decoded(parts[1])
        if now_s >= claims["exp"] or claims.get("gen", 0) < self._generation:
            raise token_expired()
        return claims

    def scopes(self, authorization: str | None, now_s: float) -> set[str]:
        """Scopes of the access token in an Authorization header.

        Raises:
            ApiError: 401 as `claims`.
        """
        return set(self.claims(authorization, now_s)["scp"])

    def _pair(self, family: str, client_id: str, scopes: str, now_s: float) -> dict[str, Any]:
        refresh_token = _refresh_token(family, scopes, self._generation)
        self._families.setdefault(family, _Family()).unused.add(refresh_token)
        return {**self._access(client_id, scopes, now_s), "refresh_token": refresh_token}

    def _access(
        self, client_id: str, scopes: str, now_s: float, **more_claims: Any
    ) -> dict[str, Any]:
        header = {"alg": "HS256", "typ": "JWT", "kid": "simulator"}
        claims = {
            "iss": self._issuer,
            "azp": client_id,
            "sub": "00000000-0000-4000-8000-000000000001",
            "aud": ["https://fleet-api.prd.na.vn.cloud.tesla.com"],
            "scp": scopes.split(),
            "amr": ["pwd", "mfa"],
            "exp": int(now_s) + ACCESS_TOKEN_S,
            "iat": int(now_s),
            "ou_code": "NA",
            "locale": "en-US",
            "gen": self._generation,
            **more_claims,
        }
        unsigned = f"{_encoded(header)}.{_encoded(claims)}"
        return {
            "access_token": f"{unsigned}.{_signature(unsigned)}",
            "expires_in": ACCESS_TOKEN_S,
            "token_type": "Bearer",
        }


@dataclass(frozen=True)
class _Refresh:
    """What a refresh token says."""

    family: str
    scopes: str
    generation: int


def _read_refresh_token(token: str) -> _Refresh | None:
    """What a refresh token says; None if no simulator gave it."""
    parts = token.split(".")
    if len(parts) != 4 or not hmac.compare_digest(
        _signature(f"{parts[1]}.{parts[2]}")[:16], parts[3]
    ):
        return None
    claims = _decoded(parts[2])
    return _Refresh(parts[1], str(claims["scp"]), int(claims.get("gen", 0)))
