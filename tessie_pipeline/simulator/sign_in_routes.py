"""Routes of signing in: the consent page, tokens, and the app's registration.

The consent page answers at once as a user does who consents to what `world.account` says.
"""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tessie_pipeline.simulator.errors import enveloped, oauth_error
from tessie_pipeline.simulator.tokens import SCOPES
from tessie_pipeline.simulator.world import answer, response, world_of

_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_ACCOUNT_ID = "00000000-0000-4000-8000-000000000002"


async def _form(request: Request) -> dict[str, str]:
    """The body's fields, url-encoded or JSON."""
    body = await request.body()
    if "json" in request.headers.get("content-type", ""):
        try:
            fields: Any = json.loads(body)
            return {str(key): str(value) for key, value in dict(fields).items()}
        except (ValueError, TypeError) as error:
            raise oauth_error(400, "invalid_request", "The body is not JSON.") from error
    return dict(parse_qsl(body.decode()))


async def authorize(request: Request) -> Response:
    """`GET /oauth2/v3/authorize?response_type&client_id&redirect_uri&scope&state`.

    302 to the redirect_uri with a code, or with `access_denied` if the user refuses; 400 if the
    question is not one that Tesla would show to a user.
    """
    query, account = request.query_params, world_of(request).account
    redirect_uri = query.get("redirect_uri", "")
    if not query.get("client_id") or not query.get("state"):
        raise oauth_error(400, "invalid_request", "client_id and state are needed.")
    if not urlsplit(redirect_uri).scheme or not urlsplit(redirect_uri).netloc:
        raise oauth_error(400, "invalid_redirect_url", "redirect_uri is not a URL.")
    if query.get("response_type") != "code":
        raise oauth_error(400, "unsupported_response_type", "response_type must be code.")
    asked = query.get("scope", "").split()
    if not asked or set(asked) - set(SCOPES.split()):
        raise oauth_error(400, "invalid_scope", "scope is missing or not known.")
    granted = account.consent.granted(asked, query.get("require_requested_scopes") == "true")
    if granted is None:
        back = {"error": "access_denied", "error_description": "The user did not consent."}
    else:
        back = {"code": account.code(query["client_id"], redirect_uri, granted)}
    separator = "&" if urlsplit(redirect_uri).query else "?"
    fields = urlencode({**back, "state": query["state"]})
    return RedirectResponse(f"{redirect_uri}{separator}{fields}", status_code=302)


async def token(request: Request) -> Response:
    """`POST /oauth2/v3/token`: authorization_code, refresh_token or client_credentials.

    A code works once, for its client and redirect_uri; a refresh token works once, and the last
    one used for 24 h more.
    """
    world = world_of(request)
    fields = await _form(request)
    now_s = world.clock.wall_s()
    client_id, grant = fields.get("client_id", ""), fields.get("grant_type", "")
    if not client_id:
        raise oauth_error(400, "invalid_request", "client_id is missing.")
    if grant == "authorization_code":
        code, redirect_uri = fields.get("code", ""), fields.get("redirect_uri", "")
        scopes = world.account.redeem(code, client_id, redirect_uri)
        return answer(world.tokens.sign_in(client_id, scopes, now_s))
    if grant == "refresh_token":
        return answer(world.tokens.refresh(fields.get("refresh_token", ""), client_id, now_s))
    if grant == "client_credentials":
        return answer(world.tokens.partner(client_id, fields.get("scope", ""), now_s))
    raise oauth_error(400, "unsupported_grant_type", f"unknown grant_type: {grant}")


async def partner_accounts(request: Request) -> Response:
    """`POST /api/1/partner_accounts` with {domain} and a partner token: the app is registered.

    Refusals are worded as in vehicle-command issues 6 and 166.
    """
    world = world_of(request)
    header, now_s = request.headers.get("authorization"), world.clock.wall_s()
    claims = world.tokens.claims(header, now_s)
    if "client-credentials" not in claims.get("gty", ()):
        raise enveloped(403, "Expected partner account")
    domain = (await _form(request)).get("domain", "")
    if not _DOMAIN.fullmatch(domain):
        raise enveloped(
            400,
            f"Invalid domain: {domain}. Ensure that domain is lowercase and starts without https://",
        )
    world.account.is_registered = True
    created = world.clock.now().isoformat()
    return response(
        {
            "account_id": _ACCOUNT_ID,
            "domain": domain,
            "name": "simulator",
            "description": "",
            "client_id": claims["azp"],
            "ca": None,
            "created_at": created,
            "updated_at": created,
            "enterprise_tier": "pay_as_you_go",
            "issuer": None,
            "csr": None,
            "csr_updated_at": None,
            "public_key": "04" + 128 * "0",
        }
    )


ROUTES = [
    Route("/oauth2/v3/authorize", authorize, methods=["GET"]),
    Route("/oauth2/v3/token", token, methods=["POST"]),
    Route("/api/1/partner_accounts", partner_accounts, methods=["POST"]),
]
