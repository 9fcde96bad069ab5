"""Makes and changes files of keys. A file is replaced as a whole, so that no member reads half of one."""

import contextlib
import os
import secrets
from pathlib import Path

from swim_anyio.command.tools.asking import read_cluster
from swim_anyio.command.tools.writing import write
from swim_core import Key, KeyInvalid, Keys
from swim_core.keys import MAX_KEYS, SECRET_SIZE
from swim_core.native.sealing.ring import key_id
from swim_threads.key_file import KeyFile

__all__ = [
    "make_file",
    "put_first",
    "run_add",
    "run_drop",
    "run_keygen",
    "run_list",
    "run_password",
    "run_reader",
    "take_out",
]

MODE = 0o600


def _new() -> Key:
    return Key(secrets.token_bytes(SECRET_SIZE))


def _id(key: Key, label: str) -> str:
    return f"{key_id(key, label):08x}"


def make_file(file: str) -> Key:
    """Make a file with a new key, which only its owner may read. It never replaces another file.

    Raises:
        KeyInvalid: if there is such a file.
        OSError: if it can't be written.
    """
    key = _new()
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    except FileExistsError:
        raise KeyInvalid(f"{file} exists already: `swim keys add {file}` puts another key into it") from None
    with os.fdopen(fd, "w", encoding="ascii") as made:
        made.write(f"{key.reveal()}\n")
    return key


def put_first(file: str) -> Key:
    """Put a new key first in a file.

    Raises:
        KeyInvalid: if the file can't be used, or is full.
        OSError: if it can't be written.
    """
    held, key = KeyFile(file).read(), _new()
    if len(held) == MAX_KEYS:
        raise KeyInvalid(f"{file} has {MAX_KEYS} keys already: drop one (swim keys drop)")
    _replace(file, [key.reveal(), *_lines(file)])
    return key


def take_out(file: str, gone: Key) -> None:
    """Remove a key from a file. Raises as `put_first`."""
    _replace(file, [line for line in (_without(line, gone) for line in _lines(file)) if line is not None])


def run_keygen(file: str, cluster: str | None) -> int:
    """Make a key file, or print a key. Raises as `make_file`."""
    label = read_cluster(cluster)
    if file == "-":
        write(_new().reveal())
    else:
        write(f"{file}: key {_id(make_file(file), label)}. Copy it to every host; whoever has it is a member.")
    return 0


def run_list(file: str, cluster: str | None) -> int:
    """Print ids. Raises as `KeyFile.read`."""
    label, keys = read_cluster(cluster), KeyFile(file).read()
    for number, key in enumerate(keys):
        write(f"{_id(key, label)}  {'opens' if number else 'preferred'}")
    return 0


def run_add(file: str, cluster: str | None) -> int:
    """Put a new key first. Raises as `put_first`."""
    label = read_cluster(cluster)
    write(
        f"{file}: {_id(put_first(file), label)} is preferred now. Copy the file to every host, then drop the old key."
    )
    return 0


def run_drop(file: str, identifier: str, cluster: str | None) -> int:
    """Take a key out.

    Raises:
        KeyInvalid: if the file can't be used, has no such key, or prefers it.
        OSError: if it can't be written.
    """
    label, held = read_cluster(cluster), KeyFile(file).read()
    ids = [_id(key, label) for key in held]
    if identifier not in ids:
        raise KeyInvalid(f"{file} has no key {identifier}: it has {', '.join(ids)} (of the cluster label {label!r})")
    if identifier == ids[0]:
        raise KeyInvalid(f"{identifier} is the preferred key of {file}: put another one first (swim keys add {file})")
    take_out(file, list(held)[ids.index(identifier)])
    write(f"{file}: {identifier} is gone. Copy the file to every host; what that key sealed can no longer be opened.")
    return 0


def run_password(file: str, cluster: str | None) -> int:
    """Print the password that goes with the preferred key. Raises as `KeyFile.read`."""
    label = read_cluster(cluster)
    write(next(iter(KeyFile(file).read())).password(label))
    return 0


def run_reader(file: str, cluster: str | None) -> int:
    """Print the reader's key of the preferred one. Raises as `KeyFile.read`."""
    label = read_cluster(cluster)
    write(next(iter(KeyFile(file).read())).reader_of(label).reveal())
    return 0


def _lines(file: str) -> list[str]:
    return Path(file).read_text(encoding="utf-8").splitlines()


def _without(line: str, gone: Key) -> str | None:
    """The line without a key; None if nothing else is on it."""
    texts, mark, comment = line.partition("#")
    parts = [part for part in texts.split(",") if part.strip()]
    left = [part for part in parts if Key.parse(part) != gone]
    if left == parts:
        return line
    return ",".join(left) + mark + comment if left else None


def _replace(file: str, lines: list[str]) -> None:
    """Replace the file by one with other lines. If it is a link, its target is replaced and not the link."""
    Keys.parse("\n".join(lines), file)  # never write what could not be read
    path = Path(file).resolve()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8") as made:
            made.write("\n".join(lines) + "\n")
            made.flush()
            os.fsync(made.fileno())
        with contextlib.suppress(OSError):  # the permissions of another owner's file can't be copied
            os.chmod(beside, path.stat().st_mode & 0o777)
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
