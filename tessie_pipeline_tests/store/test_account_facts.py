"""What is known of the account, logging in and out, and sealing anew."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.store import accounts
from tessie_pipeline.store.accounts import AccountFacts, NoAccountError, SealedTokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.sealing import SealError
from tessie_pipeline.store.tables import user_config
from tessie_pipeline.store.tables.api import alerts, api_holds
from tessie_pipeline_tests.store.conftest import count_rows, wait_until_blocked

KEY = "0123456789abcdef" * 4
NEW_KEY = "fedcba9876543210" * 4
NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
TOKENS = Tokens("refresh-token", "access-token", NOON)
EUROPE = "https://fleet-api.prd.eu.vn.cloud.tesla.com"


@pytest.fixture
def account(database: Database) -> SealedTokens:
    """An account that logged in at noon."""
    account = SealedTokens(database, KEY)
    account.log_in(TOKENS, logged_in_at=NOON, scopes=("openid",), subject="me", region="NA")
    return account


def known(account: SealedTokens) -> AccountFacts:
    facts = account.facts()
    assert facts is not None
    return facts


def test_nothing_is_known_of_no_account(database: Database) -> None:
    account = SealedTokens(database, KEY)
    assert account.facts() is None
    with pytest.raises(NoAccountError, match="log in"):
        account.remember(region="EU")


def test_what_a_login_told_is_known_without_the_key(account: SealedTokens) -> None:
    facts = known(SealedTokens(account.database, NEW_KEY))
    age = datetime.now(UTC) - (facts.refresh_token_received_at or NOON)
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert replace(facts, refresh_token_received_at=None) == AccountFacts(
        region="NA",
        scopes=("openid",),
        subject="me",
        logged_in_at=NOON,
        access_token_expires_at=NOON,
    )


def test_what_is_remembered_joins_what_was_known(account: SealedTokens) -> None:
    before = known(account)
    account.remember(fleet_api_url=EUROPE, region="EU")
    assert known(account) == replace(before, fleet_api_url=EUROPE, region="EU")
    account.renew(lambda _: True, lambda _: replace(TOKENS, access_token="new"))
    assert known(account).fleet_api_url == EUROPE


def test_a_renewal_makes_the_refresh_token_young_again(account: SealedTokens) -> None:
    with account.database.rows() as rows:
        rows.execute(sa.update(user_config).values(refresh_token_received_at=NOON))
    account.renew(lambda _: False, lambda _: TOKENS)
    assert known(account).refresh_token_received_at == NOON
    account.renew(lambda _: True, lambda _: TOKENS)
    assert (known(account).refresh_token_received_at or NOON) > NOON


def test_a_login_that_does_not_tell_its_scopes_forgets_those_of_the_last(
    account: SealedTokens,
) -> None:
    account.log_in(TOKENS, subject="me")
    facts = known(account)
    assert (facts.scopes, facts.logged_in_at, facts.region) == (None, None, "NA")


def test_a_login_lets_requests_go_again_and_resolves_alerts_about_the_account(
    account: SealedTokens,
) -> None:
    with account.database.rows() as rows:
        rows.execute(
            sa.insert(api_holds).values(
                endpoint="", tesla_id=0, code="login_required", reason="log in"
            )
        )
        for category in ("account", "budget"):
            rows.execute(sa.insert(alerts).values(
                severity="critical", category=category, code=category, message="look",
                opened_at=NOON, last_seen_at=NOON))  # fmt: skip
    account.log_in(TOKENS)
    assert count_rows(account.database, api_holds) == 0
    with account.database.rows() as rows:
        found = rows.execute(sa.select(alerts.c.category, alerts.c.status, alerts.c.resolved_at))
        status = {category: (state, at is None) for category, state, at in found}
    assert status == {"account": ("resolved", False), "budget": ("active", True)}


def test_logging_out_leaves_no_token_and_what_the_next_login_needs(account: SealedTokens) -> None:
    assert account.forget()
    assert not account.forget()
    with pytest.raises(NoAccountError, match="log in"):
        account.read()
    with pytest.raises(NoAccountError, match="log in"):
        account.renew(lambda _: True, lambda _: TOKENS)
    assert known(account) == AccountFacts(region="NA", subject="me")
    assert account.is_simulated() is False
    with account.database.rows() as rows:
        row = rows.execute(sa.select(user_config)).mappings().one()
    assert [name for name, value in row.items() if value is None] == [*accounts._TOKEN_COLUMNS]
    account.log_in(TOKENS)
    assert account.read() == TOKENS
    assert count_rows(account.database, user_config) == 1


def test_tokens_that_are_sealed_anew_open_with_the_new_key_only(account: SealedTokens) -> None:
    before = known(account)
    assert account.reseal(NEW_KEY) == 1
    assert SealedTokens(account.database, NEW_KEY).read() == TOKENS
    with pytest.raises(SealError, match="ENCRYPTION_KEY"):
        account.read()
    assert known(account) == before


def test_what_is_sealed_anew_has_new_nonces(account: SealedTokens) -> None:
    nonces = sa.select(user_config.c.encryption_iv, user_config.c.access_token_iv)
    found: set[bytes] = set()
    for key, new_key in ((KEY, NEW_KEY), (NEW_KEY, KEY), (KEY, KEY)):
        with account.database.rows() as rows:
            found |= {bytes(nonce) for nonce in rows.execute(nonces).one()}
        SealedTokens(account.database, key).reseal(new_key)
    assert len(found) == 6


def test_one_account_that_does_not_open_leaves_all_as_they_were(account: SealedTokens) -> None:
    with account.database.rows() as rows:
        before = rows.execute(sa.select(user_config)).mappings().one()
        rows.execute(sa.insert(user_config).values(
            {**before, "id": "00000000-0000-0000-0000-000000000001"}))  # fmt: skip
    with pytest.raises(SealError):
        account.reseal(NEW_KEY)
    with account.database.rows() as rows:
        ours = sa.select(user_config).where(user_config.c.id == before["id"])
        assert rows.execute(ours).mappings().one() == before


def test_an_account_without_tokens_has_nothing_to_seal_anew(account: SealedTokens) -> None:
    account.forget()
    assert account.reseal(NEW_KEY) == 0


def test_sealing_anew_waits_for_a_renewal_and_seals_what_it_got(account: SealedTokens) -> None:
    new = replace(TOKENS, refresh_token="newer")
    with ThreadPoolExecutor() as threads:

        def exchange(_: Tokens) -> Tokens:
            resealing.append(threads.submit(account.reseal, NEW_KEY))
            wait_until_blocked(account.database)
            return new

        resealing = []  # type: ignore[var-annotated]
        account.renew(lambda _: True, exchange)
        assert resealing[0].result() == 1
    assert SealedTokens(account.database, NEW_KEY).read() == new


def test_who_waits_too_long_for_the_lock_is_told_so(
    account: SealedTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "LOCK_PATIENCE_S", 1)
    with account.database.rows() as rows:
        rows.execute(sa.select(user_config).with_for_update())
        with pytest.raises(TimeoutError, match="renewing the account's tokens for 1 seconds"):
            account.renew(lambda _: True, lambda _: TOKENS)


def test_a_process_that_hangs_in_the_exchange_loses_the_lock(
    account: SealedTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "HOLDER_PATIENCE_S", 1)
    got = replace(TOKENS, refresh_token="of another")

    def hang(_: Tokens) -> Tokens:
        other = SealedTokens(Database(account.database.url()), KEY)
        assert other.renew(lambda _: True, lambda _: got) == got
        other.database.dispose()
        return replace(TOKENS, refresh_token="too late")

    with pytest.raises(sa.exc.DBAPIError):
        account.renew(lambda _: True, hang)
    assert account.read() == got
