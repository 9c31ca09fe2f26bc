import pytest
from support import dataset, ref

from llmops_assets.lib.records import ModelRef, Recipe, TunedModel
from resources.registry import Registry


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.cluster)])
def registry(request, tmp_path_factory) -> Registry:
    """On a store of MLflow's own; a server of a cluster has the same one behind it."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    if request.param == "postgresql":
        uri = request.getfixturevalue("postgres").schema()
    return Registry(uri, ui="http://ui.example", artifacts=folder / "artifacts")


def adapter(digest: str = "a" * 64) -> TunedModel:
    return TunedModel(
        name="support",
        ref=ref("adapters/aaaa"),
        digest=digest,
        base=ModelRef(name="base", digest="b"),
        recipe=Recipe(),
        dataset=dataset(),
    )


def test_a_run_keeps_parameters_metrics_the_dataset_and_its_end(registry):
    with registry.run("adapter", {"asset": "adapter", "dagster_run": "d-1"}) as run:
        run.log_dataset(dataset(), "training")
        run.log(params={"rank": 16}, metrics={"loss": 0.5})
        run.log_steps("loss_curve", [3.0, 2.0, 1.0])
    stored = registry.client.get_run(run.run_id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"rank": "16"}
    assert stored.data.metrics["loss"] == 0.5
    assert stored.data.tags["dagster_run"] == "d-1"
    assert [m.value for m in registry.client.get_metric_history(run.run_id, "loss_curve")] == [3.0, 2.0, 1.0]
    (logged,) = stored.inputs.dataset_inputs
    assert str(dataset().ref) in logged.dataset.source
    assert {t.key: t.value for t in logged.tags}["lake_ref"] == str(dataset().ref)
    assert run.url == f"http://ui.example/#/experiments/{registry.experiment_id}/runs/{run.run_id}"


def test_equal_rows_at_another_commit_keep_their_own_source(registry):
    other = dataset().model_copy(update={"ref": ref(commit="f" * 40)})
    sources = []
    for logged in (dataset(), other):
        with registry.run("x", {}) as run:
            run.log_dataset(logged, "training")
        sources.append(registry.client.get_run(run.run_id).inputs.dataset_inputs[0].dataset.source)
    assert "0123456789" in sources[0]
    assert "ffff" in sources[1]


def test_a_run_left_by_an_error_has_failed(registry):
    with pytest.raises(RuntimeError), registry.run("x", {}) as run:
        raise RuntimeError
    assert registry.client.get_run(run.run_id).info.status == "FAILED"


@pytest.mark.slow
def test_versions_lead_to_the_lake_and_aliases_move(registry):
    assert registry.version_of("support", "champion") is None
    with registry.run("adapter", {}) as run:
        first = registry.register_model("support", adapter(), run.run_id)
        second = registry.register_model("support", adapter("c" * 64), run.run_id)
    registry.set_alias("support", "champion", first)
    assert registry.version_of("support", "champion") == first
    registry.set_alias("support", "champion", second)
    assert registry.version_of("support", "champion") == second
    assert registry.lake_ref_of("support", second) == ref("adapters/aaaa")
    registry.drop_alias("support", "champion")
    registry.drop_alias("support", "champion")
    assert registry.version_of("support", "champion") is None


@pytest.mark.slow
def test_a_prompt_gets_a_version_per_text_and_an_unchanged_one_keeps_it(registry):
    first = registry.register_prompt("support-system-prompt", "Be brief.")
    assert registry.register_prompt("support-system-prompt", "Be brief.") == first
    second = registry.register_prompt("support-system-prompt", "Be kind.")
    assert (first.version, second.version) == (1, 2)
    registry.set_prompt_alias(second, "champion")
    assert registry.client.get_prompt_version_by_alias("support-system-prompt", "champion").template == "Be kind."
