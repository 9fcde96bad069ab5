"""What a full disk says, or a file that may not grow."""

import errno

__all__ = ["FULL"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errors after which writing may go well again, once somebody makes room."""
