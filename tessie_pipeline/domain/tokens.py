"""The tokens of a Tesla account, as plain values. Not here: their exchange, sealing or storage."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

EARLY = timedelta(minutes=1)
"""How long before its end an access token is renewed; source: Fleet API, third-party tokens."""


@dataclass(frozen=True)
class Tokens:
    """A refresh token, and the access token that came with it, if any; never shown in a `repr`."""

    refresh_token: str = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None

    def is_usable(self, now: datetime) -> bool:
        """Whether the access token can still be used at `now` (UTC)."""
        return (
            self.access_token is not None
            and self.expires_at is not None
            and now < self.expires_at - EARLY
        )
