"""AES-256-GCM-SIV (RFC 8452) from `cryptography`, which is imported only here, and only once there is a key."""

from typing import Protocol

from swim_core.errors import SealingUnavailable

__all__ = ["TAG_SIZE", "Aead", "make_aead"]

TAG_SIZE = 16
"""The bytes by which sealed data exceeds the data."""


class Aead(Protocol):
    """Authenticated encryption with associated data, under one key."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """The encrypted ``data``, followed by the tag."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """The decrypted data. Raises the cipher's own exception if it is not exactly what was sealed."""


def make_aead(secret: bytes) -> tuple[Aead, type[Exception]]:
    """The cipher for a secret of 32 bytes, and the exception that it raises for data not sealed with it.

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
