"""Sealed tokens of the Tesla account in `private.user_config`. Not here: how tokens are renewed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.sealing import Sealed, seal, unseal
from tessie_pipeline.store.tables import user_config


class NoAccountError(Exception):
    """No tokens are stored."""


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
        """
        with self.database.rows() as connection:
            account, tokens = self._read(connection, sa.select(user_config).with_for_update())
            if is_due(tokens):
                tokens = exchange(tokens)
                self._write(connection, account, tokens)
        return tokens

    def save(self, tokens: Tokens, *, is_simulated: bool = False) -> None:
        """Store the tokens of a login in the place of what was there, and whether they are real."""
        with self.database.rows() as connection:
            connection.execute(sa.text(f"lock table {user_config.fullname} in exclusive mode"))
            account = connection.scalar(sa.select(user_config.c.id))
            if account is None:
                account = connection.scalar(sa.insert(user_config).returning(user_config.c.id))
            self._write(connection, account, tokens)
            merged = user_config.c.settings.concat({"is_simulated": is_simulated})
            connection.execute(sa.update(user_config).values(settings=merged))

    def is_simulated(self) -> bool | None:
        """Whether the stored account is the simulator's; None if none is stored."""
        with self.database.rows() as connection:
            settings = connection.scalar(sa.select(user_config.c.settings))
        return None if settings is None else bool(settings.get("is_simulated"))

    def _read(self, connection: sa.Connection, query: sa.Select[Any]) -> tuple[UUID, Tokens]:
        row = connection.execute(query).mappings().first()
        if row is None or row["tesla_refresh_token_encrypted"] is None:
            raise NoAccountError("No Tesla account is stored: log in first")
        refresh = Sealed(
            row["tesla_refresh_token_encrypted"], row["encryption_iv"], row["encryption_tag"]
        )
        access_token = None
        if row["access_token_encrypted"] is not None:
            access = Sealed(
                row["access_token_encrypted"], row["access_token_iv"], row["access_token_tag"]
            )
            access_token = unseal(self.encryption_key, access, _bound(row["id"], "access"))
        return row["id"], Tokens(
            unseal(self.encryption_key, refresh, _bound(row["id"], "refresh")),
            access_token,
            row["access_token_expires_at"],
        )

    def _write(self, connection: sa.Connection, account: UUID, tokens: Tokens) -> None:
        refresh = seal(self.encryption_key, tokens.refresh_token, _bound(account, "refresh"))
        values = {
            "tesla_refresh_token_encrypted": refresh.ciphertext,
            "encryption_iv": refresh.iv,
            "encryption_tag": refresh.tag,
            "access_token_encrypted": None,
            "access_token_iv": None,
            "access_token_tag": None,
            "access_token_expires_at": tokens.expires_at,
        }
        if tokens.access_token is not None:
            access = seal(self.encryption_key, tokens.access_token, _bound(account, "access"))
            values |= {
                "access_token_encrypted": access.ciphertext,
                "access_token_iv": access.iv,
                "access_token_tag": access.tag,
            }
        connection.execute(sa.update(user_config).where(user_config.c.id == account).values(values))


def _bound(account: UUID, kind: str) -> bytes:
    """What a sealed token is bound to, so that it opens neither elsewhere nor as the other kind."""
    return account.bytes + kind.encode()
