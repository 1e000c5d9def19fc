"""The Tesla account in `private.user_config`: its sealed tokens, and what is known of it.

Not here: how tokens are renewed, and when.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

import sqlalchemy as sa

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.store.calls.holds import lift_holds
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.sealing import Sealed, seal, unseal
from tessie_pipeline.store.tables import user_config
from tessie_pipeline.store.tables.api import alerts

LOCK_PATIENCE_S = 120
"""How long a process waits for others that renew the tokens."""

HOLDER_PATIENCE_S = 60
"""After so long without a statement Postgres takes the lock from a process that hangs."""

_TOKEN_COLUMNS = (
    "tesla_refresh_token_encrypted", "encryption_iv", "encryption_tag",
    "access_token_encrypted", "access_token_iv", "access_token_tag",
    "access_token_expires_at", "refresh_token_received_at",
)  # fmt: skip
_HAS_TOKENS = user_config.c.tesla_refresh_token_encrypted.is_not(None)
_SETTINGS_OF_NO_LOGIN = user_config.c.settings.delete_path(["scopes"]).delete_path(["logged_in_at"])


class NoAccountError(Exception):
    """No tokens are stored."""


class FactValues(TypedDict, total=False):
    """What can be remembered of an account; see `AccountFacts`."""

    region: str
    fleet_api_url: str
    scopes: tuple[str, ...]
    subject: str
    logged_in_at: datetime


@dataclass(frozen=True)
class AccountFacts:
    """What is known of the account, without secrets; None where it is not known.

    Attributes:
        is_simulated: Whether it is the simulator's.
        region: NA, EU or CN.
        fleet_api_url: The region's server; an answer 421 changes it.
        scopes: What the last login granted; None if nobody is logged in or Tesla did not say.
        subject: Tesla's id of the account.
        logged_in_at: When a person last logged in; None if nobody is logged in.
        refresh_token_received_at: When the refresh token came; None if there is none.
        access_token_expires_at: When the access token ends.
    """

    is_simulated: bool = False
    region: str | None = None
    fleet_api_url: str | None = None
    scopes: tuple[str, ...] | None = None
    subject: str | None = None
    logged_in_at: datetime | None = None
    refresh_token_received_at: datetime | None = None
    access_token_expires_at: datetime | None = None


@dataclass(frozen=True)
class SealedTokens:
    """The account's tokens: read without a lock, renewed under the row's lock."""

    database: Database
    encryption_key: str = field(repr=False)

    def read(self) -> Tokens:
        """The stored tokens.

        Raises:
            NoAccountError: there are none.
            SealError: the encryption key does not open them.
        """
        with self.database.rows() as connection:
            return self._read(connection, sa.select(user_config))[1]

    def renew(
        self, is_due: Callable[[Tokens], bool], exchange: Callable[[Tokens], Tokens]
    ) -> Tokens:
        """Exchange the tokens if they are still due once the row is locked.

        The new ones are committed before they are returned, so that a process killed after Tesla
        has spent the old refresh token falls into its 24 hours of grace.

        Raises:
            NoAccountError, SealError: as `read`.
            TimeoutError: others have held the lock for too long.
        """
        with self._locking() as connection:
            account, tokens = self._read(connection, sa.select(user_config).with_for_update())
            if is_due(tokens):
                tokens = exchange(tokens)
                self._write(connection, account, tokens)
        return tokens

    def save(self, tokens: Tokens, *, is_simulated: bool = False) -> None:
        """Store the tokens of a login in the place of what was there, and whether they are real."""
        with self._locking() as connection:
            self._replace(connection, tokens, {"is_simulated": is_simulated})

    def log_in(self, tokens: Tokens, **facts: Unpack[FactValues]) -> None:
        """Store the tokens of a person's login with what it told, and let requests go again.

        What stood against requests is removed, and alerts about the account are resolved.
        """
        with self._locking() as connection:
            self._replace(connection, tokens, {"is_simulated": False, **_plain(facts)})
            lift_holds(connection)
            connection.execute(
                sa.update(alerts)
                .where(alerts.c.category == "account", alerts.c.status != "resolved")
                .values(status="resolved", resolved_at=sa.func.now())
            )

    def forget(self) -> bool:
        """Delete the tokens and what the login granted; returns whether there were any.

        Which account and region it was stays, so that its data go on after another login.
        """
        with self._locking() as connection:
            forgotten = connection.execute(
                sa.update(user_config)
                .where(_HAS_TOKENS)
                .values(settings=_SETTINGS_OF_NO_LOGIN, **dict.fromkeys(_TOKEN_COLUMNS))
            )
        return forgotten.rowcount > 0

    def reseal(self, new_key: str) -> int:
        """Seal all tokens under `new_key` in one transaction; returns of how many accounts.

        Raises:
            SealError: the encryption key does not open them; nothing has changed.
            TimeoutError: as `renew`.
        """
        successor = replace(self, encryption_key=new_key)
        with self._locking() as connection:
            rows = connection.execute(sa.select(user_config).where(_HAS_TOKENS).with_for_update())
            resealed = {row["id"]: self._opened(row) for row in rows.mappings()}
            for account, tokens in resealed.items():
                values = successor._sealed(account, tokens)
                connection.execute(_row(account).values(values))
        return len(resealed)

    def facts(self) -> AccountFacts | None:
        """What is known of the account; None if none was ever stored. Needs no key."""
        with self.database.rows() as connection:
            row = connection.execute(
                sa.select(
                    user_config.c.settings,
                    user_config.c.refresh_token_received_at,
                    user_config.c.access_token_expires_at,
                )
            ).first()
        if row is None:
            return None
        settings, received_at, expires_at = row
        scopes, logged_in_at = settings.get("scopes"), settings.get("logged_in_at")
        return AccountFacts(
            is_simulated=bool(settings.get("is_simulated")),
            region=settings.get("region"),
            fleet_api_url=settings.get("fleet_api_url"),
            scopes=None if scopes is None else tuple(scopes),
            subject=settings.get("subject"),
            logged_in_at=logged_in_at and datetime.fromisoformat(logged_in_at),
            refresh_token_received_at=received_at,
            access_token_expires_at=expires_at,
        )

    def remember(self, **facts: Unpack[FactValues]) -> None:
        """Keep what is now known of the account beside what was known before.

        Raises:
            NoAccountError: none was ever stored.
        """
        merged = user_config.c.settings.concat(_plain(facts))
        with self.database.rows() as connection:
            if not connection.execute(sa.update(user_config).values(settings=merged)).rowcount:
                raise NoAccountError("No Tesla account is stored: log in first")

    def is_simulated(self) -> bool | None:
        """Whether the stored account is the simulator's; None if none is stored."""
        facts = self.facts()
        return None if facts is None else facts.is_simulated

    def _locking(self) -> AbstractContextManager[sa.Connection]:
        """A durable transaction on the account."""
        busy = "Others have been renewing the account's tokens"
        return self.database.locking_rows(LOCK_PATIENCE_S, HOLDER_PATIENCE_S, busy)

    def _read(self, connection: sa.Connection, query: sa.Select[Any]) -> tuple[UUID, Tokens]:
        row = connection.execute(query).mappings().first()
        if row is None or row["tesla_refresh_token_encrypted"] is None:
            raise NoAccountError("No Tesla account is stored: log in first")
        return row["id"], self._opened(row)

    def _opened(self, row: sa.RowMapping) -> Tokens:
        refresh = Sealed(
            row["tesla_refresh_token_encrypted"], row["encryption_iv"], row["encryption_tag"]
        )
        access_token = None
        if row["access_token_encrypted"] is not None:
            access = Sealed(
                row["access_token_encrypted"], row["access_token_iv"], row["access_token_tag"]
            )
            access_token = unseal(self.encryption_key, access, _bound(row["id"], "access"))
        return Tokens(
            unseal(self.encryption_key, refresh, _bound(row["id"], "refresh")),
            access_token,
            row["access_token_expires_at"],
        )

    def _replace(self, connection: sa.Connection, tokens: Tokens, settings: dict[str, Any]) -> None:
        connection.execute(sa.text(f"lock table {user_config.fullname} in exclusive mode"))
        account = connection.scalar(sa.select(user_config.c.id))
        if account is None:
            account = connection.scalar(sa.insert(user_config).returning(user_config.c.id))
        self._write(connection, account, tokens)
        merged = _SETTINGS_OF_NO_LOGIN.concat(settings)
        connection.execute(_row(account).values(settings=merged))

    def _write(self, connection: sa.Connection, account: UUID, tokens: Tokens) -> None:
        values = self._sealed(account, tokens)
        values |= {
            "access_token_expires_at": tokens.expires_at,
            "refresh_token_received_at": sa.func.clock_timestamp(),
        }
        connection.execute(_row(account).values(values))

    def _sealed(self, account: UUID, tokens: Tokens) -> dict[str, Any]:
        refresh = seal(self.encryption_key, tokens.refresh_token, _bound(account, "refresh"))
        access = Sealed(None, None, None)  # type: ignore[arg-type]
        if tokens.access_token is not None:
            access = seal(self.encryption_key, tokens.access_token, _bound(account, "access"))
        return {
            "tesla_refresh_token_encrypted": refresh.ciphertext,
            "encryption_iv": refresh.iv,
            "encryption_tag": refresh.tag,
            "access_token_encrypted": access.ciphertext,
            "access_token_iv": access.iv,
            "access_token_tag": access.tag,
        }


def _row(account: UUID) -> sa.Update:
    return sa.update(user_config).where(user_config.c.id == account)


def _plain(facts: FactValues) -> dict[str, Any]:
    """Facts as JSON has them."""
    known: dict[str, Any] = dict(facts)
    if "logged_in_at" in facts:
        known["logged_in_at"] = facts["logged_in_at"].isoformat()
    return known


def _bound(account: UUID, kind: str) -> bytes:
    """What a sealed token is bound to, so that it opens neither elsewhere nor as the other kind."""
    return account.bytes + kind.encode()
