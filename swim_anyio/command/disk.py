"""The errors of a full disk, or of a file that must not grow."""

import errno

__all__ = ["FULL"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errors after which writing can succeed again once somebody frees some space."""
