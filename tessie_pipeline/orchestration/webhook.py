"""A webhook: an address that takes JSON by POST, and that nobody else may know.

Errors say what failed without the address, and httpx, which logs it, does not log here.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

TIMEOUT_S = 15.0

_TRANSIENT = frozenset({408, 425, 429})


class WebhookUnavailableError(Exception):
    """The webhook did not answer or could not take it for now."""


class WebhookRefusedError(Exception):
    """The webhook will not take it until a person mends what the message says."""


@dataclass(frozen=True)
class Webhook:
    """Where messages are posted; the `repr` hides the address."""

    address: SecretStr

    def post(self, message: Mapping[str, object]) -> None:
        """Post a message as JSON.

        Raises:
            WebhookUnavailableError: another try may help.
            WebhookRefusedError: a person has to mend something.
        """
        try:
            with _unlogged():
                response = httpx.post(
                    self.address.get_secret_value(), json=message, timeout=TIMEOUT_S
                )
        except httpx.TransportError as error:
            said = f"The alert webhook did not answer: {type(error).__name__}"
            raise WebhookUnavailableError(said) from None
        except (httpx.InvalidURL, ValueError):
            raise WebhookRefusedError("TESSIE_ALERT_WEBHOOK is not an address") from None
        if response.is_success:
            return
        said = f"The alert webhook answered {response.status_code}"
        if response.is_server_error or response.status_code in _TRANSIENT:
            raise WebhookUnavailableError(said)
        raise WebhookRefusedError(f"{said}: see whether TESSIE_ALERT_WEBHOOK is right")


@contextmanager
def _unlogged() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("httpx", "httpcore")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
