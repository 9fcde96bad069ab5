"""The exception tree: everything a command of this library raises on purpose.

Bytes from the network never raise (they are dropped and counted), so each of these is the caller's
mistake or the world's refusal, and says what to do. A command that raises has changed nothing.
"""


class SwimError(Exception):
    """Base of every exception that this library raises on purpose."""


class ConfigError(SwimError, ValueError):
    """A setting, name, address or label cannot be used; the message names it and its bounds."""


class KeyMissing(ConfigError):
    """A node that can be reached from elsewhere has no key, and was not told to go without one."""


class KeyInvalid(ConfigError):
    """A key, or a file of keys, cannot be used; the message says where it stands, and never what it is."""


class SealingUnavailable(ConfigError):
    """Keys were given, and the package that seals with them is missing or too old; the message says what to install."""


class PayloadTooLarge(SwimError, ValueError):
    """A broadcast, a message or metadata is over its limit; the message states both sizes."""


class Overloaded(SwimError, RuntimeError):
    """Too much waits to be told already. The payload is fine: try again once some of it has been told."""


class NotSupported(SwimError, RuntimeError):
    """The node's protocol has no such verb; the message says what to use in place of it."""


class NameTaken(SwimError, RuntimeError):
    """Another live process owns this node's name; the node is silent until that one dies (`NameConflict`)."""


class UnknownMember(SwimError, LookupError):
    """No live member goes by that name, or the run of it that was meant is gone."""


class NotRunning(SwimError, RuntimeError):
    """The node has left, was closed, or belongs to the process that forked this one."""


class BindError(SwimError, OSError):
    """The address to listen on can't be had: in use, not of this host, or not permitted."""


class NodeCrashed(SwimError, RuntimeError):
    """The node itself failed; the cause is chained. A bug in this library, or a socket that broke."""


class WrongThread(SwimError, RuntimeError):
    """An asynchronous node was used outside the thread of its event loop."""
