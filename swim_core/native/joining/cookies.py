"""Cookies, by which a joiner shows that it receives at the address that it asks from. Nothing is kept about them."""

from swim_core.address import Address, pack
from swim_core.digests import blake2b
from swim_core.native.context import NodeContext

__all__ = ["COOKIE_LIFE", "Cookies"]

COOKIE_LIFE = 60.0  # seconds for which cookies are made alike; those of the period before stay good for as long


class Cookies:
    """Makes cookies, and recognizes those that it made in this period and the one before.

    With keys a JOIN may have been recorded, or withheld, and its member forgotten since. So cookies then last no longer
    than members that are gone are remembered: a period is at most half of that, and if one had to be forgotten before
    its time, no earlier cookie is good.

    Args:
        context: the node's settings, and its table of members.
        secret: that nobody else knows.
    """

    def __init__(self, context: NodeContext, secret: bytes) -> None:
        config = context.config
        self._table = context.table
        self._secret = secret
        self._sealed = context.sealer is not None
        remembered = min(config.forget_after, config.forget_left_after)
        self._period = min(COOKIE_LIFE, remembered / 2) if self._sealed else COOKIE_LIFE

    def make(self, name: str, address: Address, now: float) -> bytes:
        """A cookie for a joiner of that name at that address."""
        return self._made(name, address, int(now // self._period))

    def knows(self, cookie: bytes, name: str, address: Address, now: float) -> bool:
        """Whether it was made for this joiner lately."""
        period = int(now // self._period)
        return cookie in (self._made(name, address, p) for p in (period, period - 1))

    def _made(self, name: str, address: Address, period: int) -> bytes:
        era = self._table.crowded_out.to_bytes(8, "big") if self._sealed else b""
        data = era + period.to_bytes(8, "big", signed=True) + pack(address) + name.encode()
        return blake2b(data, digest_size=16, key=self._secret, person=b"cookie").digest()
