"""The exception tree: everything a command of this library raises on purpose.

Bytes from the network never raise (they are dropped and counted), so each of these is the caller's
mistake or the world's refusal, and says what to do. A command that raises has changed nothing.
"""


class SwimError(Exception):
    """Base class of the exceptions that this library raises on purpose."""


class ConfigError(SwimError, ValueError):
    """A setting, name, address or label is invalid; the message names it and its bounds."""


class KeyMissing(ConfigError):
    """A node that can be reached from elsewhere has no key, and was not told to go without one."""


class KeyInvalid(ConfigError):
    """A key, or a file of keys, cannot be used; the message says where it stands, and never what it is."""


class SealingUnavailable(ConfigError):
    """Keys were given, and the package that seals with them is missing or too old; the message says what to install."""


class PayloadTooLarge(SwimError, ValueError):
    """A broadcast, a message or metadata is too large; the message states its size and the limit."""


class Overloaded(SwimError, RuntimeError):
    """Too much is waiting to be sent. The payload is fine: try again once some of that has been sent."""


class NotSupported(SwimError, RuntimeError):
    """The node's protocol doesn't support this call; the message says what to use instead."""


class NameTaken(SwimError, RuntimeError):
    """Another live process owns this node's name; this node stays silent until that one is gone (`NameConflict`)."""


class UnknownMember(SwimError, LookupError):
    """No live member has that name, or the run of it that was meant is gone."""


class NotRunning(SwimError, RuntimeError):
    """The node has left, was closed, or belongs to the process that forked this one."""


class BindError(SwimError, OSError):
    """The address to listen on can't be bound: it is in use, doesn't belong to this host, or isn't permitted."""


class NodeCrashed(SwimError, RuntimeError):
    """The node itself failed, because of a bug in this library or a broken socket; the cause is chained."""


class WrongThread(SwimError, RuntimeError):
    """An asynchronous node was used outside the thread of its event loop."""
