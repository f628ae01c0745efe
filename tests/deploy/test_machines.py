"""Tests that the Kubernetes manifests and the systemd units are valid, and run the process list's commands."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cli.plan import PARTS, PROGRAMS, ROOT, Part, Place
from workflows.events import QUEUES

KUBERNETES, SYSTEMD = ROOT / "deploy" / "kubernetes", ROOT / "deploy" / "systemd"
VERSION = "1.34"
POD = Place(host="0.0.0.0", api_port=8000, flower_port=5555, streams_port=8001, data_dir=Path("/data"))
MACHINE = Place(
    host="127.0.0.1", api_port=8000, flower_port=5555, streams_port=8001, data_dir=Path("/var/lib/tutelage")
)
# Extensions, of which no schema is in the library.
EXTENSIONS = {"Kustomization", "ScaledObject"}


def documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every manifest of a folder that its kustomization names, by its file."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    named = [word for word in kustomization["resources"] if word.endswith(".yaml")]
    named += [patch["path"] for patch in kustomization.get("patches", [])]
    assert {file.name for file in folder.iterdir()} == {*named, "kustomization.yaml"}
    for name in named:
        for document in yaml.safe_load_all((folder / name).read_text()):
            yield name, document


MANIFESTS = [(name, document) for folder in sorted(KUBERNETES.iterdir()) for name, document in documents(folder)]
PATCHES = {"program.yaml", "worker.yaml", "loop.yaml"}
DEPLOYMENTS = {
    document["metadata"]["name"]: document
    for name, document in MANIFESTS
    if document["kind"] == "Deployment" and name not in PATCHES
}


def container(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = document["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("name", "document"), MANIFESTS, ids=lambda part: part if isinstance(part, str) else "")
def test_manifests_are_valid(name: str, document: dict[str, Any]) -> None:
    if document["kind"] in EXTENSIONS:
        assert document["spec"]["scaleTargetRef"]["name"] in DEPLOYMENTS
    elif name in PATCHES:
        # A patch alone lacks what it is put into.
        assert container(document)["name"] == "tutelage"
    else:
        kubernetes_validate.validate(document, VERSION, strict=True)


@pytest.mark.parametrize("patch", sorted(PATCHES))
def test_deployments_with_their_patches_are_valid(patch: str) -> None:
    (merged,) = [document for name, document in MANIFESTS if name == patch]
    merged["spec"].setdefault("selector", {"matchLabels": {"a": "b"}})
    merged["spec"]["template"].setdefault("metadata", {})["labels"] = {"a": "b"}
    kubernetes_validate.validate(merged, VERSION, strict=True)


@pytest.mark.parametrize("part", PROGRAMS, ids=lambda part: part.name)
def test_each_process_is_a_deployment_with_its_command(part: Part) -> None:
    threads = {"notifications": 16, "webhooks": 32}
    assert container(DEPLOYMENTS[part.name])["command"] == part.argv(POD)
    assert threads.get(str(part.queue), 4) in {POD.worker_threads, POD.notification_threads, POD.webhook_threads}
    labels = DEPLOYMENTS[part.name]["metadata"].get("labels", {})
    assert labels.get("tutelage/part") == (
        "worker" if part.queue else "loop" if part.name in ("sweep", "maintain") else None
    )


def test_there_is_no_other_deployment() -> None:
    assert DEPLOYMENTS.keys() == {part.name for part in PROGRAMS}
    budgets = {document["metadata"]["name"] for _, document in MANIFESTS if document["kind"] == "PodDisruptionBudget"}
    assert budgets == DEPLOYMENTS.keys() - {"flower"}
    scaled = {document["metadata"]["name"] for _, document in MANIFESTS if document["kind"] == "ScaledObject"}
    assert scaled == {f"worker-{queue}" for queue in QUEUES}


def test_settings_of_the_manifests_are_settings() -> None:
    (chosen,) = [document["data"] for _, document in MANIFESTS if document["kind"] == "ConfigMap"]
    example, comment = (file.read_text() for file in (ROOT / ".env.example", KUBERNETES / "base" / "settings.yaml"))
    secrets = ("DATABASE_URL", "REDIS_URL", "JWT_SECRET", "ENCRYPTION_KEYS", "SIGNING_KEYS", "SMTP_URL")
    for name in (*chosen, *secrets, "FLOWER_BASIC_AUTH"):
        assert re.search(rf"^#? ?{name}=", example, re.MULTILINE), name
        assert name in comment


def test_the_image_runs_as_the_user_of_the_manifests() -> None:
    assert "useradd --system --uid 999 " in (ROOT / "Dockerfile").read_text()
    (program,) = [document for name, document in MANIFESTS if name == "program.yaml"]
    assert program["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 999


@pytest.mark.parametrize("part", PROGRAMS, ids=lambda part: part.name)
def test_each_process_is_a_unit_with_its_command(part: Part) -> None:
    name = f"tutelage-worker@{part.queue}" if part.queue else f"tutelage-{part.name}"
    text = (SYSTEMD / f"{re.sub('@.*', '@', name)}.service").read_text()
    (line,) = re.findall(r"^ExecStart=/opt/tutelage/\.venv/bin/(.*)$", text, re.MULTILINE)
    own = SYSTEMD / f"{name}.service.d" / "threads.conf"
    (threads,) = re.findall(r"THREADS=(\d+)", own.read_text() if own.exists() else text + "THREADS=4")[:1]
    said = line.replace("%i", str(part.queue)).replace("${THREADS}", threads).split()
    assert said == part.argv(MACHINE)
    assert f"{name}.service" in (SYSTEMD / "tutelage.target").read_text()


def test_there_is_no_other_unit() -> None:
    names = {file.stem for file in SYSTEMD.glob("*.service")} - {"tutelage-migrate", "tutelage-worker@"}
    assert names == {f"tutelage-{part.name}" for part in PARTS if part.group == "programs" and not part.queue}


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With the programs of this environment; a machine without systemd reads them alone."""
    units = tmp_path / "units"
    shutil.copytree(SYSTEMD, units)
    for file in units.rglob("*"):
        if file.is_file():
            file.write_text(file.read_text().replace("/opt/tutelage/.venv/bin", str(Path(sys.executable).parent)))
    named = sorted(str(file) for file in units.iterdir() if file.is_file())
    assert named
    if verifier := shutil.which("systemd-analyze"):
        done = subprocess.run([verifier, "verify", *named], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
