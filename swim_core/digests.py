"""BLAKE2b, and the comparison of secrets in constant time, without OpenSSL.

`hashlib` and `hmac` load OpenSSL, though what is used here isn't taken from it: 3.5 MB of memory for each process.
"""

try:
    from _blake2 import blake2b
    from _operator import _compare_digest as compare_digest
except ImportError:  # an interpreter that keeps them elsewhere
    from hashlib import blake2b
    from hmac import compare_digest  # type: ignore[no-redef]

__all__ = ["blake2b", "compare_digest"]
