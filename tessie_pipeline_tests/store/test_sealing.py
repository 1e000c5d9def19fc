"""Seals open with their key, beside what they were bound to, and not otherwise."""

from dataclasses import replace

import pytest

from tessie_pipeline.store.sealing import Sealed, SealError, seal, unseal

KEY = "0123456789abcdef" * 4
OTHER_KEY = "1123456789abcdef" * 4
SECRET = "hush-hush ü 🚗"


def flipped(data: bytes, bit: int) -> bytes:
    at, mask = bit // 8, 1 << bit % 8
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


@pytest.mark.parametrize("secret", [SECRET, "", "x" * 100_000], ids=["short", "empty", "long"])
@pytest.mark.parametrize("bound_to", [b"", b"account"], ids=["unbound", "bound"])
def test_a_seal_opens_to_what_was_sealed(secret: str, bound_to: bytes) -> None:
    assert unseal(KEY, seal(KEY, secret, bound_to), bound_to) == secret
    assert unseal(KEY.upper(), seal(KEY, secret, bound_to), bound_to) == secret


def test_a_seal_is_that_of_the_published_test_vector() -> None:
    # McGrew and Viega, The Galois/Counter Mode of Operation, test case 14.
    sealed = Sealed(
        ciphertext=bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18"),
        iv=bytes(12),
        tag=bytes.fromhex("d0d1c8a799996bf0265b98b5d48ab919"),
    )
    assert unseal("00" * 32, sealed, b"") == "\0" * 16


def test_nonce_and_tag_have_the_lengths_of_the_standard_and_the_secret_is_not_seen() -> None:
    sealed = seal(KEY, SECRET, b"account")
    assert (len(sealed.iv), len(sealed.tag)) == (12, 16)
    assert len(sealed.ciphertext) == len(SECRET.encode())
    assert SECRET.encode() not in sealed.iv + sealed.ciphertext + sealed.tag


def test_no_two_seals_share_a_nonce_or_a_ciphertext() -> None:
    seals = [seal(KEY, SECRET, b"account") for _ in range(1000)]
    assert len({sealed.iv for sealed in seals}) == 1000
    assert len({sealed.ciphertext for sealed in seals}) == 1000


SEALED = seal(KEY, SECRET, b"account")


@pytest.mark.parametrize(
    ("key", "sealed", "bound_to"),
    [
        pytest.param(OTHER_KEY, SEALED, b"account", id="another key"),
        pytest.param(KEY, SEALED, b"another", id="beside something else"),
        pytest.param(KEY, SEALED, b"", id="beside nothing"),
        pytest.param(
            KEY, replace(SEALED, ciphertext=flipped(SEALED.ciphertext, 0)), b"account",
            id="ciphertext changed",
        ),
        pytest.param(
            KEY, replace(SEALED, ciphertext=SEALED.ciphertext[:-1]), b"account",
            id="ciphertext cut",
        ),
        pytest.param(
            KEY, replace(SEALED, tag=flipped(SEALED.tag, 127)), b"account", id="tag changed"
        ),
        pytest.param(KEY, replace(SEALED, tag=SEALED.tag[:12]), b"account", id="tag cut"),
        pytest.param(KEY, replace(SEALED, tag=b"", ciphertext=b""), b"account", id="all cut"),
        pytest.param(
            KEY, replace(SEALED, iv=flipped(SEALED.iv, 5)), b"account", id="nonce changed"
        ),
        pytest.param(KEY, replace(SEALED, iv=b""), b"account", id="nonce lost"),
        pytest.param(
            KEY, seal(KEY, "another secret", b"another"), b"account", id="seal of another account"
        ),
    ],
)  # fmt: skip
def test_anything_but_the_same_key_seal_and_account_is_refused_with_the_way_out(
    key: str, sealed: Sealed, bound_to: bytes
) -> None:
    with pytest.raises(SealError) as error:
        unseal(key, sealed, bound_to)
    assert str(error.value) == (
        "ENCRYPTION_KEY does not open the stored tokens: set the key they were sealed with"
    )


def test_every_bit_of_a_seal_counts() -> None:
    opened = []
    for part in ("ciphertext", "iv", "tag"):
        data = getattr(SEALED, part)
        for bit in range(len(data) * 8):
            try:
                opened.append(
                    unseal(KEY, replace(SEALED, **{part: flipped(data, bit)}), b"account")
                )
            except SealError:
                continue
    assert opened == []
