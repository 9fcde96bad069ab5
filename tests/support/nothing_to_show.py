"""The views of a node that has no history: what the scripted nodes of the tests have in common."""

from swim_core import Address, Contact, Evidence, Member, Past

__all__ = ["NothingToShow"]


class NothingToShow:
    """Those methods of `ProtocolNode` that only look, for nodes without a protocol; `members` is left to them."""

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        raise NotImplementedError

    def member(self, name: str) -> Member | None:
        return next((member for member in self.members() if member.name == name), None)

    def explain(self, name: str) -> Evidence | None:
        return None

    def contact(self, name: str, *, now: float) -> Contact | None:
        return None

    def history(self, *, since: int = 0) -> tuple[Past, ...]:
        return ()

    def rings(self) -> tuple[tuple[str, ...], ...]:
        return ()

    def poll_connect(self) -> Address | None:
        return None
