"""The images' instructions hold their rules, and the packages of the gateway's image are enough for what runs in it."""

import fnmatch
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from test_lock import pins

from llmops_assets.lib.cluster.rules import OWN_IMAGES

IMAGES = ("graph", "gateway", "training")


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, argument) of a Dockerfile, continued lines in one."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())]


def ignored(root: Path, path: str) -> bool:
    """Whether .dockerignore keeps a path from the build."""
    out = False
    for line in (root / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and line[0] != "#" and (fnmatch.fnmatch(path, pattern) or path.startswith(f"{pattern}/")):
            out = line[0] != "!"
    return out


def flaws(root: Path, text: str) -> list[str]:
    """What an image of ours must not do."""
    found, told = instructions(text), []
    defaults = dict(rest.split("=", 1) for word, rest in found if word == "ARG" and "=" in rest)
    bases = [
        re.sub(r"\$\{(\w+)\}", lambda m: defaults[m[1]], rest.split(" AS ")[0]) for w, rest in found if w == "FROM"
    ]
    if len(bases) < 2:
        told.append("one stage: what builds stays in the image")
    told += [
        f"{base} is not pinned" for base in bases if not re.search(r":\d+\.\d+\.\d+(-[\w.-]+)?(@sha256:\w{64})?$", base)
    ]
    last = found[max(i for i, (word, _) in enumerate(found) if word == "FROM") :]
    if [rest for word, rest in last if word == "USER"] != ["10001:10001"]:
        told.append("it does not run as 10001:10001")
    for word, rest in found:
        if word == "ADD":
            told.append("ADD fetches what nothing verifies")
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                if not (root / source).exists():
                    told.append(f"{source} is not there")
                elif ignored(root, source):
                    told.append(f".dockerignore keeps {source} out")
        if word in ("ARG", "ENV") and re.search(r"(?i)(password|secret|token|key)=\S", rest):
            told.append(f"a secret in {word}")
        if word == "RUN":
            for step in re.findall(r"pip install [^&]*", rest):
                if "--no-deps" not in step and "torch==" not in step:
                    told.append(f"not only what is locked: {step.strip()}")
        if word == "CMD" and not rest.startswith("["):
            told.append("CMD in a shell, which does not pass signals on")
    return told


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_built_in_stages_pinned_and_without_root(root, image):
    assert flaws(root, (root / "k8s" / "images" / f"{image}.Dockerfile").read_text()) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("USER 10001:10001", "USER root", "10001"),
        ("USER 10001:10001\n", "", "10001"),
        ("3.12.11-slim-bookworm", "slim", "python:slim is not pinned"),
        ("COPY sensors sensors", "COPY sensor sensors", "sensor is not there"),
        ("COPY sensors sensors", "COPY docs docs", ".dockerignore keeps docs out"),
        ("COPY sensors sensors", "ADD https://files.example/x /x", "ADD fetches"),
        ("pip install --no-deps -r", "pip install -r", "not only what is locked"),
        ("ENV PIP_DISABLE", "ENV DB_PASSWORD=x PIP_DISABLE", "a secret in ENV"),
        ('CMD ["llmops", "--help"]', "CMD llmops --help", "CMD in a shell"),
    ],
)
def test_an_image_that_breaks_a_rule_is_noticed(root, old, new, told):
    text = (root / "k8s" / "images" / "graph.Dockerfile").read_text()
    assert old in text
    assert any(told in flaw for flaw in flaws(root, text.replace(old, new)))


def test_images_have_the_torch_and_python_of_the_project(root):
    torch = re.search(r"^TORCH := (.*)$", (root / "Makefile").read_text(), re.MULTILINE)[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for image in IMAGES:
        text = (root / "k8s" / "images" / f"{image}.Dockerfile").read_text()
        assert re.findall(r"ARG TORCH=(.*)", text) == ([] if image == "gateway" else [torch])
        minor = re.search(r"ARG PYTHON=(\d+\.\d+)", text)[1]
        assert f"Programming Language :: Python :: {minor}" in project["classifiers"]


def test_the_user_of_images_is_the_user_of_pods(root):
    users = {
        o["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
        for o in yaml.safe_load_all((root / "k8s" / "rendered" / "production.yaml").read_text())
        if o["kind"] == "Deployment"
    }
    assert users == {10001}


def test_every_image_of_ours_in_the_manifests_has_its_instructions(root):
    named = set()
    for file in (root / "k8s" / "rendered").glob("*.yaml"):
        named |= set(re.findall(r"(?i)image: \S*?(llmops-[a-z]+):", file.read_text()))
    assert named == set(OWN_IMAGES) == {f"llmops-{image}" for image in IMAGES}


def packages(root: Path) -> set[str]:
    lines = (root / "k8s" / "images" / "gateway.txt").read_text().splitlines()
    return {re.sub(r"[-_.]+", "-", line.lower()) for line in lines if line[:1] != "#"}


def test_the_gateway_has_no_torch_no_dagster_and_only_what_is_locked(root):
    named = packages(root)
    assert named - pins().keys() == set()
    assert not named & {"torch", "transformers", "peft", "dagster", "mlflow", "pandas", "scikit-learn", "kubernetes"}


ALONE = """
import sys
from importlib import metadata
from importlib.abc import MetaPathFinder
import re

def spelt(name):
    return re.sub(r"[-_.]+", "-", name.lower())

allowed = set(sys.argv[1].split(","))
OWNERS = metadata.packages_distributions()
ours = {"llmops_assets", "resources", "sensors"}

class OnlyThese(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        owners = {spelt(owner) for owner in OWNERS.get(top, ())}
        if owners and not owners & allowed and top not in ours:
            raise ModuleNotFoundError(f"{name} is of {sorted(owners)}, which the image has not", name=name)

for name in [n for n in sys.modules if n.partition(".")[0] in OWNERS]:
    del sys.modules[name]
sys.meta_path.insert(0, OnlyThese())
import pathlib, tempfile
import llmops_assets.gateway.__main__ as gateway
import resources.deployment_target.fetching as fetching
import resources.deployment_target.adapters as adapters
import gguf, safetensors.numpy, llmops_assets.lib.training.peft_folders
from resources.lake.lakefs import LakeFSLake
folder = pathlib.Path(tempfile.mkdtemp())
redactor = gateway.Redactor([], b"k" * 32)
print(redactor.redact(["I am Anna Smith, write to anna@mail.example"]))
embedder = gateway.Embedder(gateway.find_embedder_folder())
print(embedder.embed(["hello"]).shape)
log = gateway.InteractionLog(f"sqlite:///{folder}/log.db")
import psycopg2, xllamacpp
LakeFSLake("http://127.0.0.1:9", "a", "b", attempts=1)._client
callers = gateway.Callers(gateway.KeyStore(f"sqlite:///{folder}/log.db"), own="k", open=False)
releases = gateway.Releases(folder, lambda bundle: None, embedder.digest, folder / "trusted.pem")
from llmops_assets.lib.signing import SigningKey
assert SigningKey.new().sign(b"data")
app = gateway.create_app(gateway.Chain(redactor, embedder, log, releases), callers)
assert not [name for name in sys.modules if name.partition(".")[0] in ("torch", "dagster", "transformers")]
print("complete")
"""


def alone(root: Path, named: set[str]) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(root), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-c", ALONE, ",".join(sorted(named))],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_packages_of_the_gateways_image_are_enough_for_what_runs_in_it(root):
    done = alone(root, packages(root))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "complete"
    missing = alone(root, packages(root) - {"orjson"})
    assert "is of ['orjson'], which the image has not" in missing.stderr
