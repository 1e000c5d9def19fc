import json

import pytest

from tessie_pipeline.tesla.error_answers import ErrorFacts, decode_error
from tessie_pipeline_tests.tesla.captured import captured

EXPECTED = {
    "400_token_server_error": ErrorFacts(400, "server_error: Internal server error", None, None),
    "401_invalid_bearer_token": ErrorFacts(401, "invalid bearer token", None, None),
    "401_token_expired": ErrorFacts(401, "token expired (401)", None, None),
    "403_exceeded_limit": ErrorFacts(403, "account disabled: EXCEEDED_LIMIT", None, None),
    "408_asleep": ErrorFacts(408, "vehicle unavailable: vehicle is offline or asleep", None, None),
    "408_vehicle_unavailable_nested": ErrorFacts(
        408, 'vehicle unavailable: {:error=>"vehicle unavailable:"}', None, None
    ),
    "412_not_registered": ErrorFacts(
        412,
        "Account 00000000-0000-0000-0000-000000000000 must be registered in the current region "
        "https://fleet-api.prd.na.vn.cloud.tesla.com, please see "
        "https://developer.tesla.com/docs/fleet-api/endpoints/partner-endpoints#register",
        None,
        None,
    ),
    "429_daily_limit_2024": ErrorFacts(429, "Retry in 45983 seconds", 45983.0, None),
    "500_upstream_internal_error": ErrorFacts(500, "upstream internal error", None, None),
    "504_upstream_timeout": ErrorFacts(504, "upstream_timeout", None, None),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_captured_error_says_what_a_person_reads_in_it(name: str) -> None:
    answer = captured(f"errors/{name}")
    body = answer["body"]
    text = body if isinstance(body, str) else json.dumps(body)
    assert decode_error(answer["status"], answer["headers"], text) == EXPECTED[name]


def test_a_page_of_html_becomes_a_line_of_text() -> None:
    page = (
        "<html><head><title>502</title><style>b{}</style></head>\n"
        "<body><h1>Bad Gateway</h1>\n<p>nginx &amp; co</p></body></html>"
    )
    assert decode_error(502, {}, page).message == "Bad Gateway nginx & co"


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        (401, "", "401 Unauthorized"),
        (540, "", "540"),
        (500, '{"error": null, "error_description": ""}', "500 Internal Server Error"),
        (500, '{"error": {"code": 5}}', "500 Internal Server Error"),
        (503, "[" * 100_000, "[" * 300),
    ],
    ids=["empty", "no name", "nulls", "nested", "endless nesting"],
)
def test_an_error_without_words_still_has_a_message(status: int, text: str, message: str) -> None:
    assert decode_error(status, {}, text).message == message


def test_a_token_in_an_error_is_not_repeated() -> None:
    facts = decode_error(401, {}, '{"error": "bad token eyJhbGciOiJSUzI1NiIsInR5cCI6.e30.x-y_z"}')
    assert facts.message == "bad token [token]"


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"Retry-After": "12"}, "", 12.0),
        ({"retry-after": "12", "RateLimit-Reset": "60"}, "Retry in 5 seconds", 12.0),
        ({"RateLimit-Reset": "60"}, "", 60.0),
        ({}, "Retry in 57600 seconds", 57600.0),
        (
            {
                "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            "",
            30.0,
        ),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, "", None),
        ({"RateLimit-Reset": "1767225600"}, "", None),
        ({"Retry-After": "-3"}, "", None),
        ({"Retry-After": "nan"}, "", None),
        ({"Retry-After": "soon"}, "", None),
        ({}, "", None),
    ],
)
def test_the_wait_is_read_wherever_it_is_told(
    headers: dict[str, str], text: str, seconds: float | None
) -> None:
    assert decode_error(429, headers, text).retry_after_s == seconds


@pytest.mark.parametrize(
    ("status", "text", "base_url"),
    [
        (
            421,
            '{"error": "user out of region, use base URL: '
            'https://fleet-api.prd.eu.vn.cloud.tesla.com, see https://developer.tesla.com"}',
            "https://fleet-api.prd.eu.vn.cloud.tesla.com",
        ),
        (
            421,
            "use https://fleet-api.prd.cn.vn.cloud.tesla.cn.",
            "https://fleet-api.prd.cn.vn.cloud.tesla.cn",
        ),
        (421, "use https://fleet-api.prd.eu.evil.example", None),
        (412, "registered in https://fleet-api.prd.na.vn.cloud.tesla.com", None),
    ],
    ids=["Europe", "China", "not Tesla's", "not a redirection"],
)
def test_only_a_misdirected_request_names_another_server(
    status: int, text: str, base_url: str | None
) -> None:
    assert decode_error(status, {}, text).base_url == base_url
