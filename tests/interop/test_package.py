"""What people install: the wheel and the sdist, built as a release would be, in empty environments."""

import email
import importlib.util
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT

PROGRAM = """
import importlib.util, swim_threads
for name in ("anyio", "trio", "typer", "flask", "gevent", "prometheus_client", "cryptography"):
    assert importlib.util.find_spec(name) is None, name
with swim_threads.open_node("127.0.0.1:0", name="ann") as ann, ann.subscribe() as events:
    with swim_threads.open_node("127.0.0.1:0", name="bob", join=ann.local.address) as bob:
        bob.wait_for_members(2, timeout=30)
        bob.broadcast(b"hello")
        while not isinstance(event := events.get(30), swim_threads.BroadcastReceived):
            pass
print(event.origin.name, event.payload.decode(), swim_threads.__version__)
"""
RELATIVE = re.compile(r"\]\((?!https?://|#)")


def run(*command: str | Path, status: int = 0, **options: Any) -> str:
    """What a command prints, on either output."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, timeout=300, **options
    )
    assert done.returncode == status, (command, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "-o", folder, ROOT, cwd=folder)
    return folder


def environment(folder: Path) -> Path:
    """The programs of a new, empty environment."""
    run(sys.executable, "-m", "venv", folder / "venv")
    return folder / "venv" / "bin"


def test_the_readme_of_a_package_has_links_that_work_anywhere() -> None:
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert RELATIVE.search((ROOT / "README.md").read_text())  # as a forge shows it
    text = "[docs/a.md](docs/a.md) [how](docs/a.md#b) [site](https://example.org) [below](#c)"
    shown = '<picture>\n  <source srcset="a-dark.png">\n  <img alt="A [b]." src="docs/a.png">\n</picture>\n\nThis.'
    assert module.for_a_page(shown, None, "1.2") == "This."
    raw = "https://example.org/x/raw/v1.2/docs/a.png"
    assert module.for_a_page(shown, "https://example.org/x/", "1.2") == f"![A [b].]({raw})\n\nThis."
    assert "<picture" not in module.for_a_page((ROOT / "README.md").read_text(), "https://example.org/x/", "1.2")
    assert module.for_a_page(text, None, "1.2") == (
        "`docs/a.md` how (`docs/a.md`) [site](https://example.org) [below](#c)"
    )
    at = "https://example.org/x/blob/v1.2/docs/a.md"
    assert module.for_a_page(text, "https://example.org/x/", "1.2") == (
        f"[docs/a.md]({at}) [how]({at}#b) [site](https://example.org) [below](#c)"
    )


def test_each_extra_that_a_message_names_exists() -> None:
    import tomllib

    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    packages = [path for name in ("swim_core", "swim_threads", "swim_anyio") for path in (ROOT / name).rglob("*.py")]
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {
        extra
        for path in (*packages, *pages)
        for found in re.findall(r"(?:swim-membership|\"\.)\[([a-z,]+)\]", path.read_text())
        for extra in found.split(",")
    }
    assert {"anyio", "cli", "trio"} <= named <= extras


@pytest.mark.slow
@pytest.mark.processes
def test_the_wheel_works_without_any_extra(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith("/METADATA")]
        about = email.message_from_bytes(archive.read(metadata))
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        *("swim_core", "swim_threads", "swim_anyio", "swim_membership"),
    }
    assert {f"{package}/py.typed" for package in ("swim_core", "swim_threads", "swim_anyio")} <= set(names)
    assert about["Description-Content-Type"] == "text/markdown"
    assert "swim-membership" in str(about.get_payload())
    assert not RELATIVE.search(str(about.get_payload()))
    bare = {line for line in about.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert {re.split(r"[^a-z]", line)[0] for line in bare} == {"attrs", "msgspec", "ifaddr"}

    programs = environment(tmp_path)
    run(programs / "pip", "install", "-q", wheel)
    assert run(programs / "python", "-W", "error", "-c", PROGRAM, cwd=tmp_path) == f"bob hello {about['Version']}\n"
    assert 'pip install "swim-membership[cli]"' in run(programs / "swim", "members", status=1)
    told = run(programs / "python", "-c", "import swim_anyio; swim_anyio.open_node", status=1)
    assert 'pip install "swim-membership[anyio]"' in told


@pytest.mark.slow
@pytest.mark.processes
def test_the_sdist_works_with_the_command(built: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        top = {name.split("/")[1] for name in archive.getnames()}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "hatch_build.py", "tests", "docs"} <= top
    programs = environment(tmp_path)
    run(programs / "pip", "install", "-q", f"{sdist}[cli]")
    assert "0.1.0" in run(programs / "swim", "--version")
    run(programs / "swim", "plan", "--members", "10")
    program = "import trio, swim_anyio\nasync def main():\n  async with swim_anyio.open_node('127.0.0.1:0') as node:\n"
    program += "    print(len(node.members()))\ntrio.run(main)"
    assert run(programs / "python", "-W", "error", "-c", program, cwd=tmp_path) == "1\n"
