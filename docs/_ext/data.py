"""Docstrings of data: the string below an assignment, also where a package re-exports what a module of it assigns."""

import sys

from sphinx.pycode import ModuleAnalyzer

__all__ = ["docstring_of_data"]


def docstring_of_data(package: str, name: str) -> list[str]:
    """The lines of it; empty if there is none.

    Args:
        package: imported already, with the modules that it re-exports from.
        name: in the package.
    """
    value = getattr(sys.modules[package], name)
    for module in sorted(home for home in sys.modules if home == package or home.startswith(f"{package}.")):
        if getattr(sys.modules[module], name, None) is value:
            lines = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name))
            if lines:
                return list(lines)
    return []
