"""How an invariant says that it is broken."""

__all__ = ["InvariantViolated", "require"]


class InvariantViolated(AssertionError):
    """Something happened that must not happen, whatever the network does."""


def require(holds: object, otherwise: str) -> None:
    """Raise `InvariantViolated` unless ``holds``."""
    if not holds:
        raise InvariantViolated(otherwise)
