"""Tesla's error answers: status and body, as captured answers show them.

What a fault may answer besides is in `fault_kinds.py`.
"""

from typing import Any

HOME_BASE_URL = "https://fleet-api.prd.na.vn.cloud.tesla.com"


class ApiError(Exception):
    """An answer that is not 200: its status and JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        """Take the HTTP status and the JSON body."""
        super().__init__(f"{status} {body.get('error')}")
        self.status = status
        self.body = body


def enveloped(status: int, error: str, description: str = "") -> ApiError:
    """An error in Tesla's envelope of response, error and error_description."""
    return ApiError(status, {"response": None, "error": error, "error_description": description})


def not_found() -> ApiError:
    """A car or site that is not on this account."""
    return enveloped(404, "not_found")


def vehicle_unavailable() -> ApiError:
    """A live call to a car that is asleep or offline (vehicle-command issue 10)."""
    return enveloped(408, "vehicle unavailable: vehicle is offline or asleep")


def invalid_request(description: str) -> ApiError:
    """A parameter that is missing or cannot be read."""
    return enveloped(400, "invalid_request", description)


def missing_scopes() -> ApiError:
    """A token without the scope of the endpoint."""
    return enveloped(403, "Unauthorized missing scopes")


def not_registered() -> ApiError:
    """An app whose domain was never registered in the region (evcc issue 19355)."""
    return ApiError(
        412,
        {
            "error": "Account 00000000-0000-0000-0000-000000000000 must be registered in the"
            f" current region {HOME_BASE_URL}, please see"
            " https://developer.tesla.com/docs/fleet-api/endpoints/partner-endpoints#register"
        },
    )


def out_of_region(base_url: str) -> ApiError:
    """A user who lives in another region (evcc issue 14801; parsed by vehicle-command)."""
    return enveloped(
        421,
        f"user out of region, use base URL: {base_url},"
        " see https://developer.tesla.com/docs/fleet-api#regional-requirements",
    )


def invalid_bearer() -> ApiError:
    """No access token, or one that was not given here."""
    return ApiError(401, {"error": "invalid bearer token"})


def token_expired() -> ApiError:
    """An access token older than eight hours, or revoked."""
    return ApiError(401, {"error": "token expired (401)"})


def login_required() -> ApiError:
    """A refresh token that was used, revoked or not given here."""
    return oauth_error(401, "login_required", "The refresh_token is invalid.")


def oauth_error(status: int, error: str, description: str) -> ApiError:
    """An error of the token endpoint."""
    return ApiError(
        status,
        {
            "error": error,
            "error_description": description,
            "error_uri": "https://auth.tesla.com/error/reference/simulator",
        },
    )
