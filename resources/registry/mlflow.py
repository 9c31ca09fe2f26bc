"""MLflow as the registry of runs, adapters and prompts, on a local SQLite file or a server: only the URI differs.

Weights stay in the lake; a model version here names the lake ref it stands for. Concepts:
https://mlflow.org/docs/latest/ml/tracking/ and https://mlflow.org/docs/latest/ml/model-registry/.
"""

import contextlib
import json
import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import DatasetRef, LakeRef, PromptRef, TunedModel

if TYPE_CHECKING:
    from mlflow import MlflowClient

SOURCE_TYPE = "lake"
"""Source type of dataset inputs: MLflow refuses the schemes it does not know, so ours is named."""


class TrackedRun:
    """One open MLflow run of a registry."""

    def __init__(self, registry: "Registry", experiment_id: str, run_id: str) -> None:
        self.registry = registry
        self.experiment_id = experiment_id
        self.run_id = run_id

    @property
    def url(self) -> str:
        """Address of the run in the MLflow UI."""
        return self.registry.run_url(self.experiment_id, self.run_id)

    def log(self, *, params: Mapping[str, Any] | None = None, metrics: Mapping[str, float] | None = None) -> None:
        """Record parameters (as text) and metrics (as numbers) in one call."""
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        self.registry.client.log_batch(
            self.run_id,
            metrics=[Metric(key, float(value), now, 0) for key, value in (metrics or {}).items()],
            params=[Param(key, str(value)[:6000]) for key, value in (params or {}).items()],
        )

    def log_steps(self, name: str, values: list[float]) -> None:
        """Record a curve, one value per optimiser step."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = [Metric(name, float(value), now, step) for step, value in enumerate(values)]
        for start in range(0, len(points), 1000):
            self.registry.client.log_batch(self.run_id, metrics=points[start : start + 1000])

    def log_dataset(self, dataset: DatasetRef, context: str) -> None:
        """Record a dataset as an input whose source is its lake ref; `context` is training, evaluation, …

        MLflow keeps the first source it saw for an equal (experiment, name, digest), so the commit is part of the
        digest, and stands as a tag as well.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        digest = hash_bytes(f"{dataset.digest} {dataset.ref.commit}".encode())[:32]
        entity = Dataset(
            name=dataset.name,
            digest=digest,
            source_type=SOURCE_TYPE,
            source=json.dumps({"uri": str(dataset.ref)}),
            profile=json.dumps({"rows": dataset.rows, **dataset.counts}),
        )
        tags = [
            InputTag("mlflow.data.context", context),
            InputTag("lake_ref", str(dataset.ref)),
            InputTag("content_digest", dataset.digest),
            InputTag("lake_tag", dataset.tag),
        ]
        self.registry.client.log_inputs(self.run_id, [DatasetInput(entity, tags)])

    def log_file(self, path: Path, folder: str = "") -> None:
        """Copy a small report beside the run. Personal data must not be in it."""
        self.registry.client.log_artifact(self.run_id, str(path), folder or None)


class Registry:
    """Runs, adapters and prompts of one MLflow store.

    `uri` is a tracking URI (`sqlite:///…` or `https://…`), `artifacts` where artifact files go when the store is a
    local file, `ui` the address a person opens.
    """

    experiment = "llmops_assets"

    def __init__(self, uri: str, *, ui: str, artifacts: Path | None = None) -> None:
        self.uri = uri
        self.ui = ui.rstrip("/")
        self.artifacts = artifacts
        self._client: MlflowClient | None = None
        self._experiment_id: str | None = None

    @property
    def client(self) -> "MlflowClient":
        """The MLflow client, made on first use (importing mlflow takes seconds)."""
        if self._client is None:
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            os.environ.setdefault("DO_NOT_TRACK", "true")
            from mlflow import MlflowClient

            if self.artifacts is not None:
                self.artifacts.mkdir(parents=True, exist_ok=True)
            self._client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        return self._client

    @property
    def experiment_id(self) -> str:
        """Id of the one experiment, made on first use."""
        if self._experiment_id is None:
            found = self.client.get_experiment_by_name(self.experiment)
            if found is None:
                location = None if self.artifacts is None else self.artifacts.resolve().as_uri()
                self._experiment_id = self.client.create_experiment(self.experiment, artifact_location=location)
            else:
                self._experiment_id = found.experiment_id
        return self._experiment_id

    def run_url(self, experiment_id: str, run_id: str) -> str:
        """Address of a run in the MLflow UI."""
        return f"{self.ui}/#/experiments/{experiment_id}/runs/{run_id}"

    def model_url(self, name: str, version: str) -> str:
        """Address of a model version in the MLflow UI."""
        return f"{self.ui}/#/models/{name}/versions/{version}"

    @contextlib.contextmanager
    def run(self, name: str, tags: Mapping[str, str]) -> Generator[TrackedRun]:
        """One MLflow run, finished when left cleanly and failed when left by an error."""
        run = self.client.create_run(self.experiment_id, run_name=name, tags=dict(tags))
        tracked = TrackedRun(self, self.experiment_id, run.info.run_id)
        try:
            yield tracked
        except BaseException:
            self.client.set_terminated(tracked.run_id, "FAILED")
            raise
        self.client.set_terminated(tracked.run_id, "FINISHED")

    # -- models -------------------------------------------------------------------------------------------------

    def register_model(self, name: str, model: TunedModel, run_id: str) -> str:
        """Register a tuned model as a new version of a registered one and return the version.

        The version's source is the lake ref: MLflow holds the name and the lineage, the lake the bytes.
        """
        self._ensure_model(name)
        run = self.client.get_run(run_id)
        version = self.client.create_model_version(
            name,
            source=f"{run.info.artifact_uri}/{model.kind}",
            run_id=run_id,
            tags={
                "lake_ref": str(model.ref),
                "adapter_digest": model.digest,
                "base_model": model.base.name,
                "dataset_ref": str(model.dataset.ref),
            },
        )
        return str(version.version)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias (`champion`, `challenger`) at a version."""
        self.client.set_registered_model_alias(name, alias, version)

    def drop_alias(self, name: str, alias: str) -> None:
        """Remove an alias; fine when there is none."""
        if self.version_of(name, alias) is not None:
            self.client.delete_registered_model_alias(name, alias)

    def version_of(self, name: str, alias: str) -> str | None:
        """Version an alias points at; None when the model or the alias does not exist."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self.client.get_model_version_by_alias(name, alias).version)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def lake_ref_of(self, name: str, version: str) -> LakeRef:
        """Where the weights of a version lie."""
        return LakeRef.model_validate(self.client.get_model_version(name, version).tags["lake_ref"])

    def model_versions(self) -> Iterator[tuple[str, str, dict[str, str], str]]:
        """(model, version, tags, run) of every version of every model; prompts are none."""
        token = None
        while True:
            page = self.client.search_model_versions(max_results=1000, page_token=token)
            for version in page:
                if "mlflow.prompt.is_prompt" not in version.tags:
                    yield version.name, str(version.version), dict(version.tags), version.run_id or ""
            token = page.token
            if not token:
                return

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    # -- prompts ------------------------------------------------------------------------------------------------

    def register_prompt(self, name: str, template: str, *, message: str = "") -> PromptRef:
        """The version of a prompt with this text: the newest one if its text is equal, a new one otherwise."""
        digest = hash_bytes(template.encode())
        newest = self._newest_prompt(name)
        if newest is not None and newest.template == template:
            return PromptRef(name=name, version=int(newest.version), template=template, digest=digest)
        made = self.client.register_prompt(name, template, commit_message=message or None, tags={"digest": digest[:32]})
        return PromptRef(name=name, version=int(made.version), template=template, digest=digest)

    def set_prompt_alias(self, prompt: PromptRef, alias: str) -> None:
        """Point an alias at a prompt version."""
        self.client.set_prompt_alias(prompt.name, alias, prompt.version)

    def prompt_url(self, prompt: PromptRef) -> str:
        """Address of a prompt in the MLflow UI."""
        return f"{self.ui}/#/prompts/{prompt.name}"

    def _newest_prompt(self, name: str) -> Any | None:
        from mlflow.exceptions import MlflowException

        try:
            versions: Iterable[Any] = self.client.search_prompt_versions(name, max_results=1000)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            # The SQL store cannot search prompt versions in every release; walking the numbers is exact.
            versions = self._prompt_versions(name)
        return max(list(versions), key=_number, default=None)

    def _prompt_versions(self, name: str) -> Iterator[Any]:
        number = 1
        while (found := self.client.get_prompt_version(name, number)) is not None:
            yield found
            number += 1


def _number(version: Any) -> int:
    return int(version.version)
