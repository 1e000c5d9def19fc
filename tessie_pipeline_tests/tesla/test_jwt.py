"""What an access token says of itself, and that nothing odd in it is an error."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.simulator import tokens as simulated
from tessie_pipeline.tesla.jwt import Claims, read_claims


def jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{body}.c2lnbmF0dXJl"


def test_a_token_says_its_scopes_account_region_and_servers() -> None:
    pair = simulated.Tokens().sign_in("me", "openid offline_access energy_device_data", 0)
    assert read_claims(pair["access_token"]) == Claims(
        scopes=frozenset({"openid", "offline_access", "energy_device_data"}),
        subject="00000000-0000-4000-8000-000000000001",
        region="NA",
        audience=("https://fleet-api.prd.na.vn.cloud.tesla.com",),
    )


@pytest.mark.parametrize(
    ("scp", "scopes"),
    [
        (["openid", 1, None], {"openid"}),
        ("openid user_data", {"openid", "user_data"}),
        ([], set()),
        (None, None),
        ({"openid": True}, None),
    ],
    ids=["a list", "a text", "none granted", "absent", "an object"],
)
def test_scopes_come_as_a_list_or_a_text_or_not_at_all(
    scp: object, scopes: set[str] | None
) -> None:
    assert read_claims(jwt({"scp": scp})).scopes == scopes


@given(st.text() | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.sampled_from(["scp", "sub", "aud"]), part),
).map(jwt))  # fmt: skip
def test_nothing_odd_is_an_error(token: str) -> None:
    assert isinstance(read_claims(token), Claims)


@pytest.mark.parametrize("body", ["", "*", "W10", "eyJ", "/w", "W" * 5000, "MQ" * 50_000])
def test_a_body_that_is_none_says_nothing(body: str) -> None:
    assert read_claims(f"a.{body}.c") == Claims()
