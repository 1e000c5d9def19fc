"""Seal secrets with AES-256-GCM (NIST SP 800-38D). Not here: where sealed secrets are kept."""

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
TAG_BYTES = 16


class SealError(Exception):
    """A sealed secret cannot be opened with this key."""


@dataclass(frozen=True)
class Sealed:
    """A ciphertext with the nonce and tag that open it."""

    ciphertext: bytes
    iv: bytes
    tag: bytes


def seal(key: str, secret: str, bound_to: bytes) -> Sealed:
    """Seal `secret` under a fresh nonce.

    Args:
        key: 64 hexadecimal characters.
        secret: what to hide.
        bound_to: associated data; the seal opens only beside the same.
    """
    iv = os.urandom(NONCE_BYTES)
    sealed = AESGCM(bytes.fromhex(key)).encrypt(iv, secret.encode(), bound_to)
    return Sealed(sealed[:-TAG_BYTES], iv, sealed[-TAG_BYTES:])


def unseal(key: str, sealed: Sealed, bound_to: bytes) -> str:
    """What `seal` hid.

    Raises:
        SealError: the key is not the one it was sealed with, or the row was tampered with.
    """
    cipher = AESGCM(bytes.fromhex(key))
    try:
        opened = cipher.decrypt(sealed.iv, sealed.ciphertext + sealed.tag, bound_to)
    except (InvalidTag, ValueError):  # a nonce of a wrong length is a ValueError
        raise SealError(
            "ENCRYPTION_KEY does not open the stored tokens: set the key they were sealed with"
        ) from None
    return opened.decode()
