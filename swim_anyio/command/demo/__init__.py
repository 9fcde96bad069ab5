"""`swim demo`: a cluster of real processes on this machine, what happens to it, and how that is shown."""

from .main import run_demo

__all__ = ["run_demo"]
