"""The files of docs/operations, for tests that read them and tests that run them."""

import re
import shutil
from pathlib import Path

from support.paths import DOCS, ROOT

__all__ = ["KIT", "copied", "copy_sources", "instruction"]

KIT = DOCS / "operations"


def instruction(name: str) -> str:
    """The last instruction of that name in the Dockerfile, without the name."""
    return _instructions(name)[-1]


def copied() -> list[str]:
    """What the image is built from: files and folders of the repository."""
    lines = [line.split() for line in _instructions("COPY") if "--from" not in line]
    return [name for *names, _ in lines for name in names]


def copy_sources(target: Path) -> None:
    """Copy there what the image is built from, and nothing else."""
    for name in copied():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target / name)


def _instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", (KIT / "Dockerfile").read_text(), re.MULTILINE)
