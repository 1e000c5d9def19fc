"""The account's tokens: sealed at rest, renewed once, and never shown."""

import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.store.accounts import NoAccountError, SealedTokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.sealing import SealError
from tessie_pipeline.store.tables import user_config
from tessie_pipeline_tests.store.conftest import count_rows, wait_until_blocked

KEY = "0123456789abcdef" * 4
NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
OLD = Tokens("old-refresh-token", "old-access-token", NOON)
NEW = Tokens("new-refresh-token", "new-access-token", NOON + timedelta(hours=8))


@pytest.fixture
def account(database: Database) -> SealedTokens:
    """An account with the old tokens."""
    account = SealedTokens(database, KEY)
    account.save(OLD)
    return account


def set_column(account: SealedTokens, column: str, value: object) -> None:
    with account.database.rows() as rows:
        rows.execute(sa.update(user_config).values({column: value}))


@pytest.mark.parametrize(
    ("tokens", "now", "is_usable"),
    [
        pytest.param(OLD, NOON - timedelta(hours=1), True, id="early"),
        pytest.param(OLD, NOON - timedelta(minutes=1) - TICK, True, id="just over a minute left"),
        pytest.param(OLD, NOON - timedelta(minutes=1), False, id="a minute left"),
        pytest.param(OLD, NOON + timedelta(hours=1), False, id="over"),
        pytest.param(Tokens("refresh", None, NOON), NOON - timedelta(hours=1), False, id="none"),
        pytest.param(Tokens("refresh", "access", None), NOON, False, id="end unknown"),
    ],
)
def test_an_access_token_is_usable_until_a_minute_before_its_end(
    tokens: Tokens, now: datetime, is_usable: bool
) -> None:
    assert tokens.is_usable(now) is is_usable


def test_tokens_come_back_as_they_were_saved(database: Database) -> None:
    account = SealedTokens(database, KEY)
    with pytest.raises(NoAccountError, match="log in"):
        account.read()
    with pytest.raises(NoAccountError, match="log in"):
        account.renew(lambda _: True, lambda _: NEW)
    account.save(OLD)
    assert account.read() == OLD
    only_refresh = Tokens("refresh-token")
    account.save(only_refresh)
    assert account.read() == only_refresh


def test_a_new_login_takes_the_old_ones_place_and_keeps_the_settings(account: SealedTokens) -> None:
    set_column(account, "settings", {"theme": "dark"})
    account.save(NEW)
    assert account.read() == NEW
    with account.database.rows() as rows:
        (settings,) = rows.scalars(sa.select(user_config.c.settings)).all()
    assert settings == {"theme": "dark", "is_simulated": False}


def test_whose_account_it_is_is_known_without_the_key(account: SealedTokens) -> None:
    assert SealedTokens(account.database, "00" * 32).is_simulated() is False
    account.save(NEW, is_simulated=True)
    assert SealedTokens(account.database, "00" * 32).is_simulated() is True


def test_no_account_is_neither_real_nor_simulated(database: Database) -> None:
    assert SealedTokens(database, KEY).is_simulated() is None


def test_two_first_logins_at_once_make_one_account(database: Database) -> None:
    account = SealedTokens(database, KEY)
    with ThreadPoolExecutor() as threads:
        with database.rows() as rows:
            rows.execute(sa.text("lock table private.user_config in share mode"))
            logins = [threads.submit(account.save, tokens) for tokens in (OLD, NEW)]
            wait_until_blocked(database, sessions=2)
        for login in logins:
            login.result()
    assert count_rows(database, user_config) == 1
    assert account.read() in (OLD, NEW)


def test_no_byte_string_in_the_row_holds_a_token(account: SealedTokens) -> None:
    with account.database.rows() as rows:
        row = rows.execute(sa.select(user_config)).mappings().one()
        text = rows.scalar(sa.text("select u::text from private.user_config u"))
    parts = [bytes(value) for value in row.values() if isinstance(value, bytes | memoryview)]
    assert len(parts) == 6
    for token in ("old-refresh-token", "old-access-token"):
        assert not [part for part in parts if token.encode() in part]
        assert token not in str(text)
        assert token.encode().hex() not in str(text)


def test_each_save_seals_under_new_nonces(account: SealedTokens) -> None:
    nonces: list[bytes] = []
    for _ in range(3):
        with account.database.rows() as rows:
            nonces += rows.execute(
                sa.select(user_config.c.encryption_iv, user_config.c.access_token_iv)
            ).one()
        account.save(OLD)
    assert len({bytes(nonce) for nonce in nonces}) == 6


@pytest.mark.parametrize(
    "column",
    [
        "tesla_refresh_token_encrypted", "encryption_iv", "encryption_tag",
        "access_token_encrypted", "access_token_iv", "access_token_tag",
    ],
)  # fmt: skip
def test_a_row_that_was_tampered_with_is_refused(account: SealedTokens, column: str) -> None:
    set_column(account, column, b"tampered with")
    with pytest.raises(SealError, match="ENCRYPTION_KEY"):
        account.read()


def test_a_row_that_became_another_accounts_is_refused(account: SealedTokens) -> None:
    set_column(account, "id", "00000000-0000-0000-0000-000000000001")
    with pytest.raises(SealError, match="ENCRYPTION_KEY"):
        account.read()


def test_an_access_token_in_the_refresh_tokens_place_is_refused(account: SealedTokens) -> None:
    with account.database.rows() as rows:
        rows.execute(
            sa.update(user_config).values(
                tesla_refresh_token_encrypted=user_config.c.access_token_encrypted,
                encryption_iv=user_config.c.access_token_iv,
                encryption_tag=user_config.c.access_token_tag,
            )
        )
    with pytest.raises(SealError):
        account.read()


def test_another_key_is_refused_and_no_token_or_key_shows(account: SealedTokens) -> None:
    other = SealedTokens(account.database, "f" * 64)
    with pytest.raises(SealError, match="ENCRYPTION_KEY") as reading:
        other.read()
    with pytest.raises(SealError, match="ENCRYPTION_KEY") as renewing:
        other.renew(lambda _: True, lambda _: NEW)
    assert account.read() == OLD
    for error in (reading.value, renewing.value):
        text = "".join(traceback.format_exception(error))
        assert not [secret for secret in ("f" * 64, KEY, "old-") if secret in text]


def test_nothing_shows_in_a_repr(account: SealedTokens) -> None:
    password = sa.make_url(account.database.url()).password
    assert password
    text = f"{account!r} {account} {OLD!r} {OLD}"
    secrets = (KEY, password, "old-refresh-token", "old-access-token")
    assert not [secret for secret in secrets if secret in text]


def test_tokens_that_are_due_are_exchanged_and_kept(account: SealedTokens) -> None:
    spent = []

    def exchange(tokens: Tokens) -> Tokens:
        spent.append(tokens)
        return NEW

    assert account.renew(lambda tokens: not tokens.is_usable(NOON), exchange) == NEW
    assert account.read() == NEW
    assert account.renew(lambda tokens: not tokens.is_usable(NOON), exchange) == NEW
    assert spent == [OLD]


def test_two_that_renew_at_once_exchange_once_and_both_get_the_new_tokens(
    account: SealedTokens,
) -> None:
    spent, may_answer = [], Event()

    def exchange(tokens: Tokens) -> Tokens:
        spent.append(tokens)
        assert may_answer.wait(timeout=20)
        return NEW

    def renew() -> Tokens:
        return account.renew(lambda tokens: not tokens.is_usable(NOON), exchange)

    with ThreadPoolExecutor() as threads:
        renewals = [threads.submit(renew), threads.submit(renew)]
        try:
            wait_until_blocked(account.database)
            assert account.read() == OLD
        finally:
            may_answer.set()
        assert [renewal.result() for renewal in renewals] == [NEW, NEW]
    assert spent == [OLD]
    assert account.read() == NEW


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exchange_that_fails_keeps_the_old_tokens_and_frees_the_row(
    account: SealedTokens, error: type[BaseException]
) -> None:
    def fail(_: Tokens) -> Tokens:
        raise error

    with pytest.raises(error):
        account.renew(lambda _: True, fail)
    assert account.read() == OLD
    assert account.renew(lambda _: True, lambda _: NEW) == NEW
