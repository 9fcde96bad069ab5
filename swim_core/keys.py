"""Keys: what their texts say, and which a node holds. Secrets stand in no repr, pickle, copy or error.

    key text      "swim1_"  | base64url(key (32 bytes) | check (4))            54 characters, no padding
    reader text   "swimr1_" | base64url(base of readers (32 bytes) | check (4))     55, for one cluster label
    password      "swimp1_" | base64url(BLAKE2b-192(key = base of readers))          39, of web pages

The check is BLAKE2b-32 of the 32 bytes, so that a text that was cut or mistyped is told from another key. A text says
which cipher it is for: another one would be "swim2_".
"""

import binascii
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NoReturn

from swim_core.digests import blake2b, compare_digest
from swim_core.errors import KeyInvalid

__all__ = ["MAX_KEYS", "SECRET_SIZE", "Key", "Keys", "Purpose"]

SECRET_SIZE = 32
MAX_KEYS = 8  # in a ring: two for a rotation, and some for members that lag; further ones were probably forgotten
CHECK_SIZE = 4
PASSWORD_SIZE = 24  # bytes, which base64 needs no padding for
ENCODED = 48  # characters of secret and check
BARE = (43, 44)  # characters of base64 of 32 bytes, without padding and with it
MEMBER, READER, PASSWORD = "swim1_", "swimr1_", "swimp1_"
FEW = 8  # different bytes, at least: 32 random ones never have fewer, and a placeholder does


class Purpose(IntEnum):
    """What a key is used for; each has its own secret, derived from the key and the cluster's label."""

    MEMBERS = 1
    READERS = 2
    TRIPWIRES = 3


def _check_of(secret: bytes) -> bytes:
    return blake2b(secret, digest_size=CHECK_SIZE, person=b"swim key text").digest()


class Key:
    """One key. It prints as nothing, can't be pickled or copied, and compares in constant time.

    Attributes:
        reader: whether it can only ask members, as tools do, and is for one cluster label.
    """

    __slots__ = ("_secret", "reader")

    def __init__(self, secret: bytes, *, reader: bool = False, where: str = "the key") -> None:
        if len(secret) != SECRET_SIZE:
            raise KeyInvalid(f"{where}: {len(secret)} bytes, a key has {SECRET_SIZE}")
        if len(set(secret)) < FEW:
            raise KeyInvalid(
                f"{where}: a key is {SECRET_SIZE} random bytes, and these are not: `swim keygen` makes one"
            )
        self._secret = bytes(secret)
        self.reader = reader

    @classmethod
    def parse(cls, text: str, where: str = "the key") -> "Key":
        """The key that a text says; bare base64 of 32 bytes is taken too.

        Args:
            text: of a member's or a reader's key.
            where: where it stands, for the error: "line 2 of swim.key".

        Raises:
            KeyInvalid: if it is none; what it says stands in no error.
        """
        text = text.strip()
        reader = text.startswith(READER)
        prefix = READER if reader else MEMBER
        if not text.startswith(prefix):
            return cls(_decoded(text, where, bare=True), where=where)
        body = text[len(prefix) :]
        if len(body) != ENCODED:
            wanted = len(prefix) + ENCODED
            raise KeyInvalid(f"{where}: {len(text)} characters, a key has {wanted}; was it cut?")
        decoded = _decoded(body, where)
        secret, check = decoded[:SECRET_SIZE], decoded[SECRET_SIZE:]
        if check != _check_of(secret):
            raise KeyInvalid(f"{where}: its check digits don't fit; was it mistyped?")
        return cls(secret, reader=reader, where=where)

    def reveal(self) -> str:
        """Its text: the secret itself, for a key file."""
        encoded = urlsafe_b64encode(self._secret + _check_of(self._secret)).decode()
        return (READER if self.reader else MEMBER) + encoded

    def derive(self, purpose: Purpose, label: str) -> bytes:
        """The 32 bytes for one purpose in one cluster.

        Raises:
            KeyInvalid: for a reader's key, which has been derived for readers already.
        """
        if self.reader:
            if purpose is not Purpose.READERS:
                raise KeyInvalid(
                    "a reader's key (swimr1_...) only asks members; a member needs a key that begins swim1_"
                )
            return self._secret
        data = bytes((purpose,)) + label.encode()
        return blake2b(data, digest_size=SECRET_SIZE, key=self._secret, person=b"swim seal 1").digest()

    def reader_of(self, label: str) -> "Key":
        """A key with which one can ask the members of the cluster with that label, and do nothing else."""
        return Key(self.derive(Purpose.READERS, label), reader=True)

    def password(self, label: str) -> str:
        """What to show a member's web page in place of the reader's key of this one, which no browser needs to know.

        It begins with ``swimp1_``, and nothing else can be asked or opened with it.
        """
        readers = self.derive(Purpose.READERS, label)
        digest = blake2b(digest_size=PASSWORD_SIZE, key=readers, person=b"swim password").digest()
        return PASSWORD + urlsafe_b64encode(digest).decode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.reader == other.reader and compare_digest(self._secret, other._secret)

    __hash__ = None  # type: ignore[assignment]  # nothing that can be told from outside follows from the secret

    def __repr__(self) -> str:
        return "<Key of a reader>" if self.reader else "<Key>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key is not pickled or copied: hand over its file")


def _decoded(text: str, where: str, *, bare: bool = False) -> bytes:
    """The bytes of base64 in either alphabet."""
    if bare and len(text) not in BARE:
        raise KeyInvalid(f"{where}: {len(text)} characters that are no key; one begins with {MEMBER} and has 54")
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise KeyInvalid(f"{where}: characters that no key has") from None


class Keys:
    """The keys that a node holds, in order: the first is preferred, all open. Immutable.

    Args:
        keys: 1 to 8, each once.

    Raises:
        KeyInvalid: if they are none or too many, or one stands there twice.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        if not 1 <= len(self._keys) <= MAX_KEYS:
            raise KeyInvalid(f"{len(self._keys)} keys: a node holds 1 to {MAX_KEYS}")
        for at, key in enumerate(self._keys):
            if key in self._keys[:at]:
                raise KeyInvalid(f"key {at + 1} of {len(self._keys)} is the same as one before it")

    @classmethod
    def parse(cls, text: str, source: str = "the keys") -> "Keys":
        """The keys in a text, such as that of a key file: one per line, or separated by commas; ``#`` begins a comment.

        Args:
            text: as it is.
            source: what it came from, for errors.

        Raises:
            KeyInvalid: if a line is no key, or there is none.
        """
        found: list[Key] = []
        for number, line in enumerate(text.splitlines(), 1):
            for part in line.partition("#")[0].split(","):
                if part.strip():
                    found.append(Key.parse(part, f"line {number} of {source}"))
        if not found:
            raise KeyInvalid(f"{source}: no key in it; `swim keygen FILE` makes one")
        try:
            return cls(found)
        except KeyInvalid as error:
            raise KeyInvalid(f"{source}: {error}") from None

    @classmethod
    def of(cls, keys: "Keys | Key | str | Iterable[str | Key]") -> "Keys":
        """Keys from whatever a caller has: their texts, as one or several, or keys.

        Raises:
            KeyInvalid: if a text is no key.
        """
        if isinstance(keys, Keys):
            return keys
        if isinstance(keys, str):
            return cls.parse(keys)
        several = [keys] if isinstance(keys, Key) or not isinstance(keys, Iterable) else list(keys)
        if not all(isinstance(key, str | Key) for key in several):
            raise KeyInvalid("keys are texts that begin with swim1_, or swim_core.Keys")
        return cls(
            key if isinstance(key, Key) else Key.parse(key, f"key {number}") for number, key in enumerate(several, 1)
        )

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keys) and self._keys == other._keys

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Keys: {len(self._keys)}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("keys are not pickled or copied: hand over their file")
