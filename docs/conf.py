"""Sphinx settings of these pages: ``python -m sphinx -W -b html docs docs/_build/html``. Nothing is fetched."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for _ext and pictures

project = "swim-membership"
author = "the authors of swim-membership"
project_copyright = "the authors of swim-membership"
release = version = version_of("swim-membership")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "_ext.names",
    "_ext.settings",
    "_ext.commands",
    "_ext.pictures",
    "_ext.tables",
]
exclude_patterns = ["_build", "_ext", "pictures", "examples"]

nitpicky = True  # a name in a docstring that is nothing's name is an error
nitpick_ignore_regex = [("py:class", r"\d+\.\d+")]  # the bounds in annotations, which are no names
default_role = "py:obj"
add_module_names = False
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 90

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_attr_annotations = True

myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["wide.css", "tables.css"]
html_title = f"swim-membership {release}"
html_show_sphinx = False
html_copy_source = False
