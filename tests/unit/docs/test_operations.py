"""The files of docs/operations are valid for the programs that read them, and agree with `swim` and each other."""

import json
import re
import shlex
import shutil
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from support.commands import VARIABLES, needs, parse, run
from support.kit import KIT, copied, instruction
from support.paths import DOCS, ROOT
from swim_core import Key
from swim_threads.key_file import KeyFile

FILES = sorted(path for path in KIT.iterdir() if path.suffix != ".key")  # which the page tells people to put there
PAGE = (KIT / "index.md").read_text()
PORTS = {("udp", 7946), ("tcp", 7946), ("tcp", 9464)}
COMPOSE = yaml.safe_load((KIT / "compose.yaml").read_text())
COMPOSE_SCHEMA = Path("/usr/lib/python3/dist-packages/compose/config/compose_spec.json")
SERVICE, STATEFUL_SET = yaml.safe_load_all((KIT / "kubernetes.yaml").read_text())
POD = STATEFUL_SET["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]


def unit(name: str) -> ConfigParser:
    found = ConfigParser(interpolation=None, strict=False)
    found.optionxform = str  # type: ignore[assignment,method-assign]  # as the documentation of the class says
    found.read(KIT / name)
    return found


def test_the_page_links_every_file_and_the_index_links_the_page() -> None:
    files = {path.name for path in FILES} - {"index.md"}
    assert set(re.findall(r"\]\(([^)/#]+)\)", PAGE)) == files
    assert "operations/index\n" in (DOCS / "index.md").read_text()
    assert "(operations/index.md)" in (DOCS / "deployment.md").read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_paths_that_a_file_names_exist(path: Path) -> None:
    named = set(re.findall(r"docs/operations/[\w.-]*\w", path.read_text()))
    made = {"docs/operations/swim.key"}  # by the line that names it
    assert [name for name in named - made if not (ROOT / name).is_file()] == []


# What they run


def agents() -> dict[str, list[str]]:
    words = shlex.split(unit("swim.service")["Service"]["ExecStart"])
    entry = json.loads(instruction("ENTRYPOINT"))
    return {
        "swim.service": [Path(words[0]).name, *words[1:]],
        "Dockerfile": [*entry, *json.loads(instruction("CMD"))],
        "kubernetes.yaml": [*entry, *CONTAINER["args"]],
    }


@pytest.mark.parametrize("file", agents())
def test_swim_accepts_the_command(file: str) -> None:
    words = agents()[file]
    assert words[:2] == ["swim", "agent"]
    parse(words)
    assert words[words.index("--bind") + 1].endswith(":7946")
    assert words[words.index("--http") + 1].endswith(":9464")


def test_the_image_and_the_pods_run_the_same() -> None:
    assert agents()["Dockerfile"] == agents()["kubernetes.yaml"]


def test_the_variables_are_read_by_the_program_and_a_key_is_among_them() -> None:
    service = unit("swim.service")["Service"]
    pods = {variable["name"] for variable in CONTAINER["env"]}
    hosts = set(re.findall(r"^([A-Z_]+)=", (KIT / "agent.env").read_text(), re.MULTILINE))
    hosts.add(service["Environment"].partition("=")[0])
    containers = set(COMPOSE["services"]["member"]["environment"])
    for variables in (pods, hosts, containers):
        assert {"SWIM_JOIN", "SWIM_CLUSTER", "SWIM_KEY_FILE"} <= variables <= VARIABLES


# systemd


def test_the_unit_hands_over_the_key_that_the_page_installs() -> None:
    service = unit("swim.service")["Service"]
    name, source = service["LoadCredential"].split(":")
    assert service["Environment"] == f"SWIM_KEY_FILE=%d/{name}"
    assert f"swim.key {source}\n" in PAGE
    assert f"agent.env {service['EnvironmentFile']}\n" in PAGE
    assert f"ln -s /opt/swim/bin/swim {service['ExecStart'].split()[0]}\n" in PAGE


@needs("systemd-analyze")
@pytest.mark.parametrize("drop_in", [None, "swim-files.conf"])
def test_systemd_finds_nothing_wrong_with_the_unit(drop_in: str | None, tmp_path: Path) -> None:
    text = (KIT / "swim.service").read_text()
    (tmp_path / "swim.service").write_text(text.replace("/usr/local/bin/swim", sys.executable))  # which exists
    if drop_in:
        (tmp_path / "swim.service.d").mkdir()
        shutil.copy(KIT / drop_in, tmp_path / "swim.service.d" / "files.conf")
    done = run("systemd-analyze", "verify", str(tmp_path / "swim.service"))
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stderr


def test_the_files_that_grow_are_rotated_in_place() -> None:
    rotated = (KIT / "swim.logrotate").read_text()
    service = unit("swim-files.conf")["Service"]
    for output in ("StandardOutput", "StandardError"):
        how, path = service[output].split(":")
        assert how == "append"  # otherwise a file cut by copytruncate would be filled with zeros
        assert Path(path).match("/var/log/swim/*.log")
    assert "/var/log/swim/*.log {" in rotated
    assert "copytruncate" in rotated


@needs("logrotate")
def test_logrotate_reads_its_file() -> None:
    done = run("logrotate", "--debug", str(KIT / "swim.logrotate"))
    assert done.returncode == 0, done.stderr
    assert "error:" not in done.stderr


# Containers


def test_the_image_is_built_from_files_that_exist_and_does_not_run_as_root() -> None:
    assert [name for name in copied() if not (ROOT / name).exists()] == []
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= set(copied())
    assert instruction("USER") == "10001:10001"


def test_the_image_installs_extras_that_exist() -> None:
    [extras] = re.findall(r"pip install .*\"\.\[([a-z,]+)\]\"", instruction("RUN"))
    project = (ROOT / "pyproject.toml").read_text()
    assert [extra for extra in extras.split(",") if f"\n{extra} = [" not in project] == []


def test_the_check_of_health_is_a_program_that_asks_the_page() -> None:
    name, option, program = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    assert (name, option) == ("python", "-c")
    compile(program, "HEALTHCHECK", "exec")
    assert "http://127.0.0.1:9464/healthz" in program


def test_the_ports_are_those_of_the_documentation() -> None:
    image = {(kind, int(port)) for port, kind in (word.split("/") for word in instruction("EXPOSE").split())}
    pods = {(port["protocol"].lower(), port["containerPort"]) for port in CONTAINER["ports"]}
    service = {(port["protocol"].lower(), port["port"]) for port in SERVICE["spec"]["ports"]}
    assert image == pods == service == PORTS
    assert "--http 127.0.0.1:9464" in (DOCS / "monitoring.md").read_text()


def test_compose_starts_members_that_find_each_other_and_their_key() -> None:
    assert COMPOSE.keys() == {"name", "services", "secrets"}
    [(name, member)] = COMPOSE["services"].items()
    assert member["environment"]["SWIM_JOIN"] == f"{name}:7946"
    [secret] = member["secrets"]
    assert member["environment"]["SWIM_KEY_FILE"] == f"/run/secrets/{secret}"
    assert COMPOSE["secrets"][secret]["file"] == "./swim.key"
    assert (KIT / member["build"]["context"]).resolve() == ROOT
    assert (ROOT / member["build"]["dockerfile"]).is_file()


@pytest.mark.skipif(not COMPOSE_SCHEMA.exists(), reason="Debian's docker-compose is not installed")
def test_the_compose_file_is_one_of_the_specification() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    newer = {"name"}  # which came after that release
    written = {key: value for key, value in COMPOSE.items() if key not in newer}
    jsonschema.Draft201909Validator(json.loads(COMPOSE_SCHEMA.read_text())).validate(written)


def test_the_manifest_is_one_of_kubernetes() -> None:
    kubernetes = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for manifest in (SERVICE, STATEFUL_SET):
        kubernetes.validate(manifest, kubernetes.latest_version(), strict=True)


def test_the_pods_belong_to_the_service_which_is_their_seed() -> None:
    labels = STATEFUL_SET["spec"]["template"]["metadata"]["labels"]
    assert SERVICE["spec"]["selector"] == STATEFUL_SET["spec"]["selector"]["matchLabels"] == labels
    assert STATEFUL_SET["spec"]["serviceName"] == SERVICE["metadata"]["name"]
    assert (SERVICE["spec"]["clusterIP"], SERVICE["spec"]["publishNotReadyAddresses"]) == ("None", True)
    values = {variable["name"]: variable.get("value") for variable in CONTAINER["env"]}
    assert values["SWIM_JOIN"] == f"{SERVICE['metadata']['name']}:7946"


def test_only_readiness_asks_for_health() -> None:
    asked = CONTAINER["readinessProbe"]["httpGet"]
    assert asked["path"] == "/healthz"
    assert asked["port"] in {port["name"] for port in CONTAINER["ports"]}
    assert not {"livenessProbe", "startupProbe"} & CONTAINER.keys()


def test_the_pods_can_read_the_secret_that_the_page_makes(tmp_path: Path) -> None:
    [volume], [mount] = POD["volumes"], CONTAINER["volumeMounts"]
    assert volume["name"] == mount["name"]
    assert f"kubectl create secret generic {volume['secret']['secretName']} --from-file=swim.key\n" in PAGE
    values = {variable["name"]: variable.get("value") for variable in CONTAINER["env"]}
    assert values["SWIM_KEY_FILE"] == f"{mount['mountPath']}/swim.key"
    assert POD["securityContext"]["fsGroup"] == POD["securityContext"]["runAsUser"] == 10001
    file = tmp_path / "swim.key"
    file.write_text(Key(bytes(range(32))).reveal())
    file.chmod(volume["secret"]["defaultMode"])
    found = KeyFile(str(file))
    found.read()
    assert found.notice is None
