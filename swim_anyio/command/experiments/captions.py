"""What was simulated, in a line or two: for tables, pictures and pages."""

from swim_core.simulation import Link
from swim_core.simulation.study import Setting

from .units import say_duration

__all__ = ["say_delay", "say_setting"]


def say_setting(setting: Setting) -> str:
    """The cluster and its network, and what decides how soon ends are known; one line."""
    config, link = setting.config, setting.link
    network = f"{setting.members} members, {link.loss:.0%} lost, {say_duration(link.delay)} one way"
    intervals = f"probe_interval {say_duration(config.probe_interval)}"
    return f"{network}; {intervals}, stall_tolerance {say_duration(config.stall_tolerance)}"


def say_delay(link: Link) -> str:
    """The time that a datagram takes, for people."""
    return f"{link.delay * 1e3:g} ms" + (f" and some {link.jitter * 1e3:g} more" if link.jitter else "")
