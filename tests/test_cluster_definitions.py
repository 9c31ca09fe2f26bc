"""What a cluster has instead of the embedded instance: its dagster.yaml, where steps run, and that no value is handed
over between pods."""

import os
import re
import subprocess
import sys
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import process_config
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import ConfigurableClassData
from dagster._utils.merger import deep_merge_dicts

from llmops_assets.cluster_definitions import NoValues, ValueHandedOverError, executor_of, profile_of
from llmops_assets.cluster_definitions import defs as cluster_defs
from llmops_assets.definitions import build_defs
from llmops_assets.definitions import defs as embedded_defs
from llmops_assets.jobs import TRAINS
from llmops_assets.lib.cluster.placement import GIB, Profile, misfits, needed_bytes, placement, pod_of, steps
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import Recipe

TRAINING = {"build_release", "retrain"}
LIGHT = {"ingest_day", "monitor_day", "digest_week", "roll_back", "roll_out", "approve", "reject"}


@pytest.fixture
def config(root) -> dict[str, Any]:
    return yaml.safe_load((root / "k8s" / "base" / "orchestration" / "dagster.yaml").read_text())


@pytest.fixture
def environment(root, monkeypatch) -> dict[str, str]:
    lines = (root / "k8s" / "base" / "orchestration" / "environment.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines) | {"PGPASSWORD": "secret"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def refused(config: dict[str, Any], folder) -> list[str]:
    """What Dagster's own validation says against a dagster.yaml: of the whole file, then of every class it names."""
    (folder / "dagster.yaml").write_text(yaml.safe_dump(config))
    try:
        ref = InstanceRef.from_dir(str(folder))
    except dg.DagsterInvalidConfigError as error:
        return [e.message for e in error.errors]
    named = {name: data for name, data in ref._asdict().items() if isinstance(data, ConfigurableClassData)}
    told = []
    for data in named.values():
        module = __import__(data.module_name, fromlist=[data.class_name])
        found = process_config(getattr(module, data.class_name).config_type(), yaml.safe_load(data.config_yaml) or {})
        told += [e.message for e in found.errors or ()]
    assert {"run_launcher_data", "compute_logs_data", "run_storage_data", "scheduler_data"} <= named.keys()
    return told


def test_dagster_takes_the_instance_of_the_cluster(config, environment, tmp_path):
    assert refused(config, tmp_path) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"run_monitoring": {"start_timeout": 600}}, "start_timeout"),
        ({"run_launcher": {"config": {"serviceaccount": "x"}}}, "serviceaccount"),
        ({"run_launcher": {"config": {"run_k8s_config": {"merge_behavior": "DEEP"}}}}, "merge_behavior"),
        ({"compute_logs": {"config": {"buckett": "x"}}}, "buckett"),
        ({"storage": {"postgres": {"postgres_db": {"hostnam": "x"}}}}, "hostnam"),
        ({"concurrency": {"runs": {"tag_concurrency_limits": [{"kee": "x"}]}}}, "kee"),
    ],
)
def test_dagster_refuses_what_is_misspelt_in_it(config, environment, tmp_path, change, told):
    assert told in " ".join(refused(deep_merge_dicts(config, change), tmp_path))


def test_the_variables_it_needs_are_set(config, environment):
    named = set(re.findall(r"'env': '(\w+)'", str(config)))
    assert {"PGPASSWORD", "PGHOST"} <= named
    assert named - environment.keys() == set()


def test_no_secret_stands_in_it(config):
    database = config["storage"]["postgres"]["postgres_db"]
    assert database["password"] == {"env": "PGPASSWORD"}
    launcher = config["run_launcher"]["config"]
    assert [name for name in launcher["env_vars"] if "=" in name] == ["HOME=/tmp", "DAGSTER_DISABLE_TELEMETRY=1"]


def test_the_driver_of_the_database_is_the_one_that_dagster_knows(config):
    # dagster-postgres catches psycopg2's errors; SQLAlchemy 2.1 takes psycopg 3 for a bare `postgresql`.
    assert config["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"


@pytest.mark.slow
def test_the_migration_needs_no_account(root, config, environment, tmp_path):
    """Its pod has no token, so it must not open the run launcher; here there is no cluster at all."""
    (job,) = (
        o
        for o in yaml.safe_load_all((root / "k8s" / "rendered" / "local.yaml").read_text())
        if o["kind"] == "Job" and o["metadata"]["name"].startswith("dagster-migrate")
    )
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    kept = {**config, "storage": {"sqlite": {"base_dir": str(tmp_path / "storage")}}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(kept))
    interpreter, *rest = pod["containers"][0]["command"]
    assert interpreter == "python"
    done = subprocess.run(
        [sys.executable, *rest],
        env={**os.environ, "DAGSTER_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Updating run storage" in done.stdout


def test_a_tag_of_a_run_reaches_neither_image_nor_account_nor_host(config):
    allowed = config["run_launcher"]["config"]["only_allow_user_defined_k8s_config_fields"]
    assert set(allowed["container_config"]) == {"resources"}
    assert not {"serviceAccountName", "hostNetwork", "volumes", "containers"} & set(allowed["pod_spec_config"])


def test_as_many_runs_train_as_there_are_gpus(config):
    ((key, value),) = TRAINS.items()
    limits = config["concurrency"]["runs"]["tag_concurrency_limits"]
    assert {"key": key, "value": value, "limit": 1} in limits
    tagged = {job.name for job in cluster_defs().resolve_all_job_defs() if job.tags.get(key) == value}
    assert tagged == TRAINING


def test_jobs_that_train_have_a_pod_for_every_step_and_light_ones_have_one_for_all():
    jobs = {job.name: job.executor_def.name for job in cluster_defs().resolve_all_job_defs() if job.name[0] != "_"}
    assert jobs == dict.fromkeys(TRAINING, "pods") | dict.fromkeys(LIGHT, "in_process")
    embedded = {job.executor_def.name for job in embedded_defs().resolve_all_job_defs()}
    assert embedded == {"in_process"}


def test_the_graph_is_the_same_on_a_cluster():
    here, there = (d.resolve_asset_graph() for d in (embedded_defs(), cluster_defs()))
    assert here.get_all_asset_keys() == there.get_all_asset_keys()
    assert all(here.get(k).parent_keys == there.get(k).parent_keys for k in here.get_all_asset_keys())


def test_dagster_takes_the_configuration_of_the_executor():
    executor = executor_of(Profile(gpus=1, training_image="llmops-training:0.1.0"))
    found = executor.apply_config_mapping({"config": {}})
    assert found.success, found.errors
    assert found.value["config"]["per_step_k8s_config"].keys() == steps(Profile(gpus=1)).keys()


def test_the_profile_is_read_from_the_environment():
    read = profile_of({"LLMOPS_GPUS": "2", "LLMOPS_MODEL_PARAMETERS": "8000000000", "LLMOPS_TRAINING_IMAGE": ""})
    assert (read.gpus, read.parameters, read.training_image, read.max_steps) == (2, 8_000_000_000, "", 4)
    with pytest.raises(LlmopsError, match=r"LLMOPS_GPUS: Input should be a valid integer"):
        profile_of({"LLMOPS_GPUS": "one"})


# -- placement ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "parameters", "gib"),
    [
        # 8 GB of weights in bf16 and the states of 4 %: (16 + 0.04 · 16 · 8) · 1.35 GB
        ({"method": "lora", "precision": "bf16"}, 8_000_000_000, (16e9 + 0.04 * 16 * 8e9) * 1.35 / GIB),
        ({"method": "lora", "precision": "bf16", "rank": 64}, 8_000_000_000, (16e9 + 0.16 * 16 * 8e9) * 1.35 / GIB),
        ({"method": "dpo", "precision": "bf16"}, 8_000_000_000, (32e9 + 0.04 * 16 * 8e9) * 1.35 / GIB),
        ({"method": "full", "precision": "fp32"}, 1_000_000_000, (4e9 + 16e9) * 1.35 / GIB),
        ({"method": "distil", "precision": "fp32"}, 1_000_000_000, (8e9 + 16e9) * 1.35 / GIB),
    ],
)
def test_bytes_are_weights_states_and_activations(recipe, parameters, gib):
    assert needed_bytes(Recipe(**recipe), parameters) / GIB == pytest.approx(gib, rel=1e-9)


def test_a_larger_model_gets_more_gpus_until_there_are_none_left():
    recipe = Recipe(precision="bf16")
    # 26.6 GiB against 0.9 · 24 of one GPU
    assert placement(recipe, Profile(gpus=4, parameters=8_000_000_000)).gpus == 2
    assert placement(recipe, Profile(gpus=4, parameters=1_000_000_000)).gpus == 1
    with pytest.raises(LlmopsError, match=r"needs 27 GiB, 2 GPUs of 24 GiB; a step may take 1 \(LLMOPS_GPUS\)"):
        placement(recipe, Profile(gpus=1, parameters=8_000_000_000))


def test_without_gpus_memory_is_main_memory():
    found = placement(Recipe(), Profile(gpus=0))
    # 0.54 GB of weights and 0.086 of states, times 1.35, beside 3 GiB
    assert (found.gpus, found.memory) == (0, 4)
    assert "pod_spec_config" not in pod_of(found, Profile())


def test_a_gpu_step_has_device_toleration_and_image():
    made = steps(Profile(gpus=1, gpu_resource="amd.com/gpu", training_image="t:1"))["adapter"]
    assert made["container_config"]["image"] == "t:1"
    resources = made["container_config"]["resources"]
    assert resources["requests"]["amd.com/gpu"] == resources["limits"]["amd.com/gpu"] == "1"
    assert "cpu" not in resources["limits"]
    assert made["pod_spec_config"]["tolerations"][0]["key"] == "amd.com/gpu"


def test_a_method_that_does_not_fit_keeps_no_other_from_training():
    profile = Profile(gpus=1, gpu_memory=80, parameters=8_000_000_000)
    assert set(steps(profile)) == {"adapter"}
    assert [told.split()[0] for told in misfits(profile)] == ["preference_adapter", "distilled_model"]
    assert misfits(Profile(gpus=1)) == []


# -- values ---------------------------------------------------------------------------------------------------------


def valued(defs: dg.Definitions) -> list[str]:
    """Assets that take another's value as an argument: between pods that share no disk there is none."""
    found = []
    for asset in defs.resolve_asset_graph().assets_defs:
        for name in asset.node_keys_by_input_name if asset.is_executable else ():
            if not asset.node_def.input_def_named(name).dagster_type.is_nothing:
                found.append(f"{asset.key.to_user_string()} takes {name}")
    return found


@dg.asset
def half(adapter) -> dg.MaterializeResult:
    """Takes what another made as a value."""
    return dg.MaterializeResult()


def test_no_asset_takes_a_value_from_another():
    assert len(list(cluster_defs().resolve_asset_graph().assets_defs)) > 20
    assert valued(cluster_defs()) == []
    assert valued(build_defs(assets=[half])) == ["half takes adapter"]


@pytest.mark.slow
def test_a_value_that_an_asset_returns_is_refused_in_its_run():
    @dg.asset
    def number():
        return 3

    @dg.asset(deps=[number])
    def nothing() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"uri": "lake://main"})

    resources = {"io_manager": NoValues()}
    assert dg.materialize([nothing, number], selection=[nothing], resources=resources).success
    with pytest.raises(ValueHandedOverError, match="number returns a int: put it into the lake"):
        dg.materialize([number], resources=resources)
    assert isinstance(cluster_defs().resources["io_manager"], NoValues)


def test_a_value_that_an_asset_takes_is_refused_in_its_run():
    @dg.asset
    def adapter() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    with pytest.raises(ValueHandedOverError, match=r"half takes adapter as a value: name it in deps"):
        dg.materialize([adapter, half], resources={"io_manager": NoValues()})
