"""References in docstrings, which call things by the names that a reader of the code would use.

A docstring says `Config.from_env` wherever it stands, and annotations name the module that a class happens to live
in. Both mean the one documented object whose name ends so. What is the standard library's is left unlinked, since
nothing is fetched, and so are private types in signatures; whatever else can't be found is an error (``nitpicky``).
"""

import sys
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from .data import docstring_of_data

__all__ = ["setup"]

FOREIGN = {
    *sys.stdlib_module_names,
    "anyio",
    "attrs",
    "msgspec",
    "trio",
    "timedelta",
    "MockClock",
    "starlette",
    "flask",
}


def _resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement) -> Any:
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"])
    found = _meant(env, target, str(node.get("py:module") or ""))
    if len(found) == 1:
        domain = env.domains.python_domain
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)
    return content if found or target.partition(".")[0] in FOREIGN or _private(target) else None


def _meant(env: BuildEnvironment, target: str, module: str) -> list[str]:
    """The full names of what ``target`` may mean: documented objects that end so, in the same package if there are any.

    The full name of an undocumented home (``swim_core.address.Address``) is looked for by its last part.
    """
    objects = env.domains.python_domain.objects
    name = target.rpartition(".")[2] if target.startswith("swim_") else target
    ends = [full for full, entry in objects.items() if full.endswith(f".{name}") and not entry.aliased]
    outermost = min((full.count(".") for full in ends), default=0)
    near = [full for full in ends if full == f"{module}.{name}"]
    return near or [full for full in ends if full.count(".") == outermost]


class _Shield:
    """Keeps napoleon from reading "Seconds: the shortest wait" in the docstring of a property as a type.

    Of attributes and properties it does nothing else, so what it made of them is undone. Data gets the docstring
    that stands where it is assigned, which autodoc does not look for behind a re-export.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

    def before(self, app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
        """Napoleon comes next."""
        self._lines = list(lines)

    def after(self, app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
        """Napoleon has been."""
        if what == "data":
            lines[:] = docstring_of_data(*name.rsplit(".", 1))
        elif what in ("attribute", "property"):
            lines[:] = self._lines


def _private(target: str) -> bool:
    """Whether this is the full name of something that exists and is not documented, as signatures have."""
    module, _, name = target.rpartition(".")
    return module.startswith("swim_") and hasattr(sys.modules.get(module), name)


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    shield = _Shield()
    app.connect("missing-reference", _resolve)
    app.connect("autodoc-process-docstring", shield.before, priority=100)
    app.connect("autodoc-process-docstring", shield.after, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
