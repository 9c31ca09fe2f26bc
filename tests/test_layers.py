"""One direction, linted: every package has its floor, groups in the order of GROUPS; assets read what they declare."""

import ast
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from llmops_assets.definitions import GROUPS, defs
from llmops_assets.evaluation.candidate import TUNED

VERBS = {"read", "find", "days", "day_records", "read_day", "read_days", "of_day"}
"""Functions of llmops_assets.handover that read a declared upstream, named by their first text."""
BY_CONFIGURATION = {"candidate": set(TUNED)}
"""What an asset reads under a name that its configuration gives."""


def floors(root: Path) -> list[str]:
    """The layers that import-linter is told of, from the top; a line with several packages stands as it is written."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return layers


def packages(root: Path) -> set[str]:
    """Modules and folders of llmops_assets, and the packages beside it."""
    inside = root / "llmops_assets"
    own = {f"llmops_assets.{p.stem}" for p in inside.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    return own - {"llmops_assets.__init__"} | {"resources", "sensors"}


def misplaced(groups: Iterable[str], layers: list[str]) -> list[str]:
    """Groups without a floor of their own, or above one that comes later in `groups`."""
    at = [layers.index(name) if name in layers else -1 for name in (f"llmops_assets.{group}" for group in groups)]
    return [
        group
        for group, place, before in zip(groups, at, [len(layers), *at], strict=False)
        if place < 0 or place >= before >= 0
    ]


def reads(source: str) -> set[str]:
    """Names of the assets that a module reads as declared upstreams, written out or as `serving`."""
    found = set()
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        if not (call.args and isinstance(call.args[0], ast.Name) and call.args[0].id == "context"):
            continue
        if _name(call.func) in VERBS:
            found |= {a.value for a in call.args[1:] if isinstance(a, ast.Constant) and isinstance(a.value, str)}
        if ast.unparse(call.func) == "serving.read":
            found.add("deployment")
    return found


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def differences(deps: Mapping[str, set[str]], found: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Asset to what it declares and does not read, or reads and does not declare."""
    return {name: deps[name] ^ found[name] for name in deps if deps[name] != found[name]}


def test_every_package_has_a_floor_of_its_own_and_every_floor_a_package(root):
    assert sorted(floors(root)) == sorted(packages(root))


def test_groups_stand_in_the_order_of_GROUPS(root):
    assert misplaced(GROUPS, floors(root)) == []


@pytest.mark.parametrize("groups", [("planning", "data", "unheard_of"), ("data", "planning"), ("data", "data")])
def test_a_group_without_a_floor_or_on_the_wrong_one_is_noticed(root, groups):
    assert misplaced(groups, floors(root)) == [groups[-1]]


def test_assets_read_what_they_declare_and_declare_what_they_read(root):
    graph = defs().resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    deps = {name: {k.to_user_string() for k in node.parent_keys} - {name} for name, node in nodes.items()}
    found = {
        name: reads((root / "llmops_assets" / node.group_name / f"{name}.py").read_text())
        | BY_CONFIGURATION.get(name, set())
        for name, node in nodes.items()
    }
    assert sum(map(len, deps.values())) > 40
    assert differences(deps, found) == {}


def test_a_read_that_is_not_declared_and_a_dependency_that_is_not_read_are_noticed():
    module = (
        'def a(context): read(context, "b", R); read_days(context, lake, "c", day); live = serving.read(context, lake)'
    )
    assert reads(module) == {"b", "c", "deployment"}
    assert differences({"a": {"b", "d"}}, {"a": reads(module)}) == {"a": {"c", "d", "deployment"}}
