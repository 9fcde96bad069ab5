"""The table of a configuration's fields, from the fields themselves and from the docstring of their class.

Nothing is written twice: default, bounds and unit are those that the validators use, the reason is the class's
``Attributes:`` section, and presets are asked for their values. A field without a description is an error.
"""

import inspect
import re
from importlib import import_module
from typing import Any

import attrs
import msgspec
from sphinx.application import Sphinx

from swim_core.native.config import Config
from swim_core.native.settings import FIELDS

from .markdown import MarkdownDirective, table

__all__ = ["Settings", "descriptions", "setup"]


def descriptions(cls: type) -> dict[str, str]:
    """What the ``Attributes:`` section of a class says of each name, as one line."""
    text = inspect.getdoc(cls) or ""
    section = re.search(r"^Attributes:\n((?:(?: .*)?\n?)*)", text, re.MULTILINE)
    entries = re.split(r"^    (?=\w+:)", section[1] if section else "", flags=re.MULTILINE)[1:]
    return {name: " ".join(said.split()) for name, _, said in (entry.partition(":") for entry in entries)}


def _number(value: float) -> str:
    """Whole numbers of five digits and more in groups, which leaves most ports alone."""
    return f"{value:g}" if isinstance(value, float) else f"{value:,}" if value >= 10_000 else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return f"`{value!r}`"


def _default(cls: Any, name: str) -> str:
    """The value in each preset where they differ, and else the one of them all."""
    presets = {preset: getattr(cls, preset) for preset in ("local", "lan", "wan") if hasattr(cls, preset)}
    values = {preset: _shown(getattr(make(), name)) for preset, make in presets.items()}
    if len(set(values.values())) > 1:
        return ", ".join(f"{value} ({preset})" for preset, value in values.items())
    return values["lan"] if values else _shown(getattr(cls(), name))


def _fields(cls: Any) -> dict[str, tuple[float, float, str] | None]:
    """Low, high and unit of each field; None where it has no range."""
    if attrs.has(cls):
        keys = ("low", "high", "unit")
        return {
            field.name: tuple(map(field.metadata.get, keys)) if "low" in field.metadata else None
            for field in attrs.fields(cls)
        }
    if cls is not Config:
        return {field.name: None for field in msgspec.structs.fields(cls)}
    bounds = {name: field.bounds for name, field in FIELDS.items()}
    return {name: (it.low, it.high, it.unit) if it is not None else None for name, it in bounds.items()}


def _bounds(bounds: tuple[float, float, str] | None) -> str:
    """The range with its unit; what has none takes what the description says."""
    if bounds is None:
        return ""
    low, high, unit = bounds
    return f"{low} to {high}" if unit == "a port" else f"{_number(low)} to {_number(high)} {unit}"


def _prose(text: str) -> str:
    """Docstring markup as Markdown: names in single backticks stay code, double ones become it."""
    return text.replace("``", "`")


class Settings(MarkdownDirective):
    """``settings:: module.Class PREFIX_``: a row for each field; with a prefix, the variable of each."""

    required_arguments = 1
    optional_arguments = 1

    def markdown(self) -> str:
        """The table."""
        module, _, name = self.arguments[0].rpartition(".")
        cls = getattr(import_module(module), name)
        said = descriptions(cls)
        rows = []
        for field, bounds in _fields(cls).items():
            if not said.get(field):
                raise self.error(f"{self.arguments[0]}.{field} is not described in the docstring of its class")
            rows.append([f"`{field}`", _default(cls, field), _bounds(bounds), _prose(said[field])])
        return table(["field", "default", "bounds", "what it is, and why so"], rows)


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
