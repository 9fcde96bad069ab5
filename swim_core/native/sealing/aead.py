"""AES-256-GCM-SIV (RFC 8452), out of `cryptography`: imported here alone, and only once there is a key."""

from typing import Protocol

from swim_core.errors import SealingUnavailable

__all__ = ["TAG_SIZE", "Aead", "make_aead"]

TAG_SIZE = 16
"""Bytes by which what is sealed exceeds what was."""


class Aead(Protocol):
    """Authenticated encryption with associated data, under one key."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """What ``data`` becomes, its tag behind it."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """What it was. Raises an exception of its own if it is not exactly what was sealed."""


def make_aead(secret: bytes) -> tuple[Aead, type[Exception]]:
    """The cipher under a secret of 32 bytes, and what it raises for what was not sealed with it.

    Raises:
        SealingUnavailable: if the package is missing, or too old for this cipher.
    """
    try:
        from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
    except ImportError as error:
        raise SealingUnavailable(
            "keys need the package `cryptography`, 42 or later: pip install 'swim-membership[crypto]'"
        ) from error
    try:
        return AESGCMSIV(secret), InvalidTag
    except UnsupportedAlgorithm as error:
        raise SealingUnavailable("sealing needs cryptography 42 or later, built with OpenSSL 3.2 or later") from error
