"""The image of docs/operations without Docker: its sources build, its command runs and passes its check of health."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.agents import PATIENCE, SWIM, environment
from support.kit import copy_sources, instruction
from swim_core import Key

CHROOT = """
set -e
root=$1 source=$2 key=$3 prefix=$4 run=$5 healthy=$6 command=$7
mkdir "$root"
mount -t tmpfs tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/all"
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/all" || exit 77
cd "$root/all"
mount --rbind /dev dev
mount -t proc proc proc
rm -rf source opt/swim tmp && mkdir -m 1777 tmp
cp -r "$source" source
install -m 400 -o 10001 "$key" tmp/swim.key
while [ "$prefix" != / ]; do chmod o+x ".$prefix"; prefix=$(dirname "$prefix"); done  # this Python may be root's
chroot . sh -ec "cd /source; $run" >&2
unshare --net sh -ec '
    ip link set lo up
    as_user="chroot --userspec=10001:10001 . env PATH=/opt/swim/bin:$PATH SWIM_KEY_FILE=/tmp/swim.key"
    $as_user sh -c "cd /tmp; exec $2" & agent=$!
    until $as_user sh -c "$1"; do kill -0 $agent; done
    kill -TERM $agent
    wait $agent
' - "$healthy" "$command"
"""

pytestmark = [pytest.mark.sockets, pytest.mark.processes, pytest.mark.skipif(os.name != "posix", reason="SIGTERM")]


def test_the_image_runs_sealed_is_healthy_and_leaves_at_sigterm(tmp_path: Path) -> None:
    key = tmp_path / "swim.key"
    key.write_text(Key(bytes(range(32))).reveal())
    key.chmod(0o400)
    variables = environment(SWIM_KEY_FILE=str(key), SWIM_CLUSTER="compose")
    del variables["SWIM_INSECURE"]
    # at loopback, since a host without a network would warn of what it guesses to advertise
    words = [re.sub(r"^0\.0\.0\.0:\d+$", "127.0.0.1:0", word) for word in json.loads(instruction("CMD"))]
    with subprocess.Popen(
        [*SWIM, *words], env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as agent:
        try:
            assert agent.stdout is not None
            started = json.loads(agent.stdout.readline())
            assert (started["event"], started["sealed"]) == ("started", True)
            port = started["metrics"].rpartition(":")[2]
            assert healthy(port)
            agent.send_signal(signal.SIGTERM)
            assert agent.communicate(timeout=PATIENCE)[1] == b""
            assert agent.returncode == 0
        finally:
            agent.kill()
    assert not healthy(port)


def healthy(port: str) -> bool:
    """Whether the image's check of health passes."""
    _, *options = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    words = [word.replace(":9464/", f":{port}/") for word in options]
    return subprocess.run([sys.executable, *words], capture_output=True, timeout=PATIENCE).returncode == 0


def test_what_the_image_copies_is_enough_to_build_it(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    copy_sources(tmp_path / "source")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    done = subprocess.run(
        [*build, str(tmp_path), str(tmp_path / "source")], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert [path.suffix for path in tmp_path.glob("swim_membership-*")] == [".whl"]


@pytest.mark.slow
def test_the_commands_of_the_image_run_in_a_root_of_its_own(tmp_path: Path) -> None:
    """A chroot into a copy (an overlay) of this system instead of that of the image: what is copied, RUN, the health
    check and the command itself, as the user that the file names. It takes root, and an index of packages."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and the command unshare, to change the root")
    (tmp_path / "source").mkdir()
    copy_sources(tmp_path / "source")
    key = tmp_path / "swim.key"
    key.write_text(Key(bytes(range(32))).reveal())
    health = shlex.join(json.loads(instruction("HEALTHCHECK").partition("CMD ")[2]))
    command = shlex.join([*json.loads(instruction("ENTRYPOINT")), *json.loads(instruction("CMD"))])
    places = [tmp_path / "root", tmp_path / "source", key, sys.base_prefix]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", CHROOT, "-", *map(str, places), instruction("RUN"), health, command],
        env=environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        timeout=250,
    )
    if done.returncode == 77:
        pytest.skip(f"no overlays here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events[0] == "started"
    assert events[-1] == "stopped"
