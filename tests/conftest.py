"""What every test relies on, wherever it is started from: signals do what a terminal's do."""

import signal

DEFAULTS = ("SIGHUP", "SIGQUIT", "SIGTERM", "SIGTSTP", "SIGTTIN", "SIGTTOU")


def pytest_configure() -> None:
    """Undo what this process inherited, and what the processes that tests start would inherit in turn.

    A shell starts jobs in the background with SIGINT ignored, and nohup ignores SIGHUP.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in DEFAULTS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
