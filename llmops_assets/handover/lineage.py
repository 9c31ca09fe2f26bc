"""Collects the lineage of an installation from Dagster, lake, MLflow and the interaction log, and checks it.

Dagster records with every materialization the very events it read (`dagster/input_event_pointer/…`), and an asset
itself what it read of the past (a warm start, what served); those are the edges here, so nothing is guessed from time
or from "the latest". Graph and drawings: lib/lineage.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import AssetRecordsFilter

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover.publishing import READ_BACK
from llmops_assets.lib.lineage import Lineage, Node
from llmops_assets.lib.records import LakeRef
from resources.lake.base import GoneError, Lake, LakeError, NotFoundError
from resources.registry import Registry

POINTER = "dagster/input_event_pointer/"
PAGE = 500
NAMES = ("content_hash", "release_id", "tag", "adapter_digest", "candidate", "lake_ref")
"""Metadata of a materialization that is a name of it."""


def materializations(instance: dg.DagsterInstance) -> Iterator[Any]:
    """Every materialization that Dagster still has, of every asset."""
    for key in instance.all_asset_keys():
        cursor: str | None = None
        while True:
            wanted = AssetRecordsFilter(asset_key=key)
            page = instance.fetch_materializations(wanted, limit=PAGE, cursor=cursor)
            yield from (record for record in page.records if record.asset_materialization is not None)
            if not page.has_more:
                break
            cursor = page.cursor


def collect(instance: dg.DagsterInstance, lake: Lake, log: InteractionLog, *, dagster_ui: str = "") -> Lineage:
    """The lineage of everything that was materialized and served."""
    lineage = Lineage()
    tags: dict[str, list[str]] = defaultdict(list)
    for tag, commit in lake.tags().items():
        tags[commit].append(tag)
    records = list(materializations(instance))
    newest = _partitions(records)
    releases: dict[str, list[str]] = defaultdict(list)
    deployed: dict[str, str] = {}
    for record in records:
        event = record.asset_materialization
        asset, node = event.asset_key.to_user_string(), str(record.storage_id)
        known = {name: str(value.value) for name, value in event.metadata.items() if hasattr(value, "value")}
        names = [asset, record.run_id, *(known.get(name, "") for name in NAMES)]
        about = {"run": record.run_id, "time": f"{datetime.fromtimestamp(record.timestamp, UTC):%Y-%m-%d %H:%M:%S}"}
        links = {"Dagster": f"{dagster_ui}/runs/{record.run_id}"} if dagster_ui else {}
        if "lake_ref" in known:
            ref = LakeRef.model_validate(known["lake_ref"])
            about["lake_ref"] = known["lake_ref"]
            names += [ref.commit, ref.path, *tags[ref.commit]]
        if "mlflow_run" in known:
            names.append(known["mlflow_run"].rpartition("/")[2])
            about["mlflow_run"] = names[-1]
        stored = event.metadata.get("record")
        if stored is not None:
            names += [*_digests(stored.value), *_findings(stored.value)]
        title = f"{asset} {record.partition_key}" if record.partition_key else asset
        lineage.add(Node(node, "materialization", title, about, links), names)
        if asset == "release" and "release_id" in known:
            releases[known["release_id"]].append(node)
        deployed[node] = known.get("release_id", "") if asset == "deployment" else ""
        back = event.metadata.get(READ_BACK)
        for source in back.value if back is not None else ():
            lineage.connect(str(source), node)
        for name, pointer in (event.tags or {}).items():
            upstream = name.removeprefix(POINTER)
            # A rollback is of an earlier release than the newest one that Dagster points at.
            if (asset, upstream) == ("deployment", "release"):
                continue
            if name.startswith(POINTER) and str(pointer).isdigit():
                event_id = int(pointer)
                # A day reads its own day; what has no days reads the newest of every day.
                read = [str(event_id)] if record.partition_key else _sources(newest, upstream, event_id)
                for source in read:
                    lineage.connect(source, node)
    for node, release in deployed.items():
        for source in releases[release]:
            # The same release may have been handed over again since, made of what this deployment led to.
            if int(source) < int(node):
                lineage.connect(source, node)
    for release, count in log.counts_by_release().items():
        served = Node(f"answers of {release}", "answers", f"{count} answers of {release}", {"release": release})
        lineage.add(served)
        for node in releases[release]:
            lineage.connect(node, served.id)
    return lineage


def add_named(lineage: Lineage, name: str, instance: dg.DagsterInstance, lake: Lake, log: InteractionLog) -> None:
    """Add what is too many to be collected at once: the answer of that id, or the person of that pseudonym."""
    answers = log.find(name)
    for answer in answers:
        about = {"release": answer.release_id, "time": answer.time.isoformat(), "path": answer.path}
        title = f"answer {answer.id[:12]}"
        lineage.add(Node(answer.id, "answer", title, about), [name] if answer.id == name else [])
        for node in lineage.find(answer.release_id):
            if node.title == "release":
                lineage.connect(node.id, answer.id)
    # Reading every day takes its time: not for what is an answer's id.
    days = [] if any(answer.id == name for answer in answers) else _days_of_subject(instance, lake, name)
    if days or any(answer.subject == name for answer in answers):
        rows = sum(count for _, count in days)
        about = {"conversations": str(rows), "answers": str(sum(a.subject == name for a in answers))}
        lineage.add(Node(f"subject {name}", "subject", f"subject {name[:12]}", about), [name])
        for node, _ in days:
            lineage.connect(f"subject {name}", node)
        for answer in answers:
            if answer.subject == name:
                lineage.connect(f"subject {name}", answer.id)


def _days_of_subject(instance: dg.DagsterInstance, lake: Lake, subject: str) -> list[tuple[str, int]]:
    """(materialization, rows) of the days of conversations that hold a subject."""
    from llmops_assets.lib import tables

    found = []
    key = dg.AssetKey("redacted_conversations")
    for record in materializations_of(instance, key):
        ref = record.asset_materialization.metadata.get("lake_ref")
        if ref is None:
            continue
        where = LakeRef.model_validate(ref.value)
        try:
            with lake.open(where.commit, where.path) as file:
                pieces = list(tables.batches(file, ["subject"]))
        except (GoneError, NotFoundError):
            continue
        count = sum(row["subject"] == subject for piece in pieces for row in piece)
        if count:
            found.append((str(record.storage_id), count))
    return found


def materializations_of(instance: dg.DagsterInstance, key: dg.AssetKey) -> Iterator[Any]:
    """The newest materialization of every partition of an asset."""
    seen = set()
    for record in instance.fetch_materializations(AssetRecordsFilter(asset_key=key), limit=10_000).records:
        if record.partition_key not in seen:
            seen.add(record.partition_key)
            yield record


def verify(instance: dg.DagsterInstance, lake: Lake, registry: Registry) -> list[str]:
    """Every broken or unverifiable link between Dagster, lake and MLflow, as a sentence each; empty when all holds."""
    problems: list[str] = []
    history = {commit.id: commit for commit in lake.log("main")}
    tags = lake.tags()
    runs = _RunLookup(instance)
    mlflow_runs = _mlflow_runs(registry)
    for record in materializations(instance):
        event = record.asset_materialization
        what = f"{event.asset_key.to_user_string()} of run {record.run_id[:8]}"
        if not runs.known(record.run_id):
            problems.append(f"{what}: Dagster has no such run any more")
        stored = event.metadata.get("record")
        refs = list(_refs(stored.value)) if stored is not None else []
        if "lake_ref" in event.metadata:
            refs.append((str(event.metadata["lake_ref"].value), "", ""))
        for text, sha256, tag in dict.fromkeys(refs):
            problems += [f"{what}: {problem}" for problem in _check_ref(lake, history, tags, text, sha256, tag)]
        address = event.metadata.get("mlflow_run")
        if address is not None:
            run_id = str(address.value).rpartition("/")[2]
            if run_id not in mlflow_runs:
                problems.append(f"{what}: MLflow has no run {run_id}, or it was deleted")
            # A result that was kept names the training that made it, which is held against the run of that time.
            elif "unchanged" not in event.metadata and (
                (told := mlflow_runs[run_id].get("dagster_run")) not in (None, record.run_id)
            ):
                problems.append(f"{what}: MLflow run {run_id} says it is of Dagster run {told}")
    for commit in history.values():
        run_id = commit.metadata.get("dagster_run")
        if run_id and not runs.known(run_id):
            problems.append(f"lake commit {commit.id[:12]}: Dagster has no run {run_id}")
    for run_id, about in mlflow_runs.items():
        if about.get("dagster_run") and not runs.known(about["dagster_run"]):
            problems.append(f"MLflow run {run_id}: Dagster has no run {about['dagster_run']}")
    for name, version, about, run_id in registry.model_versions():
        where = f"model {name} version {version}"
        if run_id not in mlflow_runs:
            problems.append(f"{where}: MLflow has no run {run_id}, or it was deleted")
        if about.get("lake_ref"):
            problems += [f"{where}: {p}" for p in _check_ref(lake, history, tags, about["lake_ref"], "", "")]
    return list(dict.fromkeys(problems))


class _RunLookup:
    """Which runs Dagster knows; each is asked once."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._known: dict[str, bool] = {}

    def known(self, run_id: str) -> bool:
        if run_id not in self._known:
            self._known[run_id] = self._instance.has_run(run_id)
        return self._known[run_id]


def _mlflow_runs(registry: Registry) -> dict[str, Mapping[str, str]]:
    """Run id to tags of every run that was not deleted."""
    found, token = {}, None
    while True:
        page = registry.client.search_runs([registry.experiment_id], max_results=1000, page_token=token)
        found.update({run.info.run_id: run.data.tags for run in page})
        token = page.token
        if not token:
            return found


def _check_ref(
    lake: Lake, history: Mapping[str, Any], tags: Mapping[str, str], text: str, sha256: str, tag: str
) -> list[str]:
    try:
        ref = LakeRef.model_validate(text)
    except ValueError:
        return [f"{text!r} is no address in a lake"]
    if ref.commit not in history:
        return [f"{ref} is not in the history of main: it was rewritten, or the commit removed"]
    # A folder is as whole as each of its files: an adapter's weights.
    files = [] if sha256 else [stat.path for stat in lake.list(ref.commit, f"{ref.path}/" if ref.path else "")]
    if problems := [
        p for path in files or [ref.path] for p in _unreadable(lake, ref.model_copy(update={"path": path}))
    ]:
        return problems
    if files:
        return []
    stat = lake.stat(ref.commit, ref.path)
    if sha256 and stat.sha256 != sha256:
        problems.append(f"{ref} has hash {stat.sha256[:12]}, recorded was {sha256[:12]}")
    if tag and tag not in tags:
        problems.append(f"the tag {tag} of {ref} is gone")
    elif tag and lake.stat(tags[tag], ref.path).sha256 != stat.sha256:
        problems.append(f"the tag {tag} names other bytes than {ref}")
    return problems


def _unreadable(lake: Lake, ref: LakeRef) -> list[str]:
    """What stands against reading the bytes at an address."""
    try:
        lake.open(ref.commit, ref.path).close()
    except GoneError:
        return [f"the bytes of {ref} were erased: what they were cannot be verified"]
    except LakeError as error:
        return [str(error)]
    return []


def _refs(value: Any) -> Iterator[tuple[str, str, str]]:
    """(lake ref, sha256 or "", tag or "") of everything a record names in the lake."""
    if isinstance(value, Mapping):
        if isinstance(value.get("ref"), str | Mapping) and ("digest" in value or "sha256" in value):
            yield str(LakeRef.model_validate(value["ref"])), value.get("sha256") or "", value.get("tag") or ""
        for part in value.values():
            yield from _refs(part)
    elif isinstance(value, list):
        for part in value:
            yield from _refs(part)


def _digests(value: Any) -> Iterator[str]:
    """Hashes and release names that a record's own fields hold, not those of what it read."""
    if isinstance(value, Mapping):
        for key in ("digest", "release_id", "tag", "mlflow_run"):
            if isinstance(value.get(key), str):
                yield value[key]


def _findings(value: Any) -> Iterator[str]:
    """Findings that a record tells of, or that what it hands over was made from."""
    if isinstance(value, Mapping):
        for one in value.get("findings") or ():
            yield str(one["id"]) if isinstance(one, Mapping) else str(one)
        yield from _findings(value.get("training"))


def _partitions(records: Iterable[Any]) -> dict[str, list[tuple[int, str | None]]]:
    """Asset to (storage id, partition) of its materializations, oldest first."""
    found: dict[str, list[tuple[int, str | None]]] = defaultdict(list)
    for record in records:
        asset = record.asset_materialization.asset_key.to_user_string()
        found[asset].append((record.storage_id, record.partition_key))
    return {asset: sorted(events) for asset, events in found.items()}


def _sources(newest: Mapping[str, list[tuple[int, str | None]]], asset: str, pointer: int) -> list[str]:
    """The events an asset had read when its newest one was `pointer`: of a partitioned asset the newest of each."""
    current: dict[str | None, int] = {}
    for event, partition in newest.get(asset, []):
        if event <= pointer:
            current[partition] = event
    return [str(event) for event in current.values()]
