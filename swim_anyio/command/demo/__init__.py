"""`swim demo`: a cluster of real processes on this machine, what happens to it, and views of it."""

from .main import run_demo

__all__ = ["run_demo"]
