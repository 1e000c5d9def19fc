"""What an access token says of itself: claims of a JWT (RFC 7519; `fleet_api.md` section 1).

Its signature is not checked, since it comes from Tesla over TLS and nothing is allowed by it.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Claims:
    """What a token says; what it does not say is None or empty.

    Attributes:
        scopes: What the person granted (`scp`).
        subject: Tesla's id of the account (`sub`).
        region: The account's region: NA, EU or CN (`ou_code`).
        audience: Servers that take the token (`aud`).
    """

    scopes: frozenset[str] | None = None
    subject: str | None = None
    region: str | None = None
    audience: tuple[str, ...] = ()


def read_claims(access_token: str) -> Claims:
    """The claims of a token; empty ones for what is no JWT. Raises nothing."""
    body = _body(access_token)
    scopes = _words(body.get("scp"))
    return Claims(
        scopes=None if scopes is None else frozenset(scopes),
        subject=_text(body.get("sub")),
        region=_text(body.get("ou_code")),
        audience=tuple(_words(body.get("aud")) or ()),
    )


def _body(token: str) -> Mapping[str, object]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        body = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, Mapping) else {}


def _words(claim: object) -> list[str] | None:
    """Words of a list, or of a text with spaces between them; None if it is neither."""
    if isinstance(claim, str):
        return claim.split()
    if isinstance(claim, list):
        return [word for word in claim if isinstance(word, str)]
    return None


def _text(claim: object) -> str | None:
    return claim if isinstance(claim, str) and claim else None
