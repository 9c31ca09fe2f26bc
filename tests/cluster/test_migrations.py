"""Tables of an earlier version become those of this one by the manifests' own Jobs, on a real PostgreSQL.

The server is killed while a Job is at it: the Job fails, and the next one ends with everything that was there.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from cluster_support import DATABASES
from postgres_server import PASSWORD, USER, PostgreSQL

from llmops_assets.gateway.interaction_log import ADDED, INTERACTIONS

pytestmark = pytest.mark.cluster
KEPT = "of-the-version-before"
BEFORE_DAGSTER = "6b7fb194ff9c"
"""Revision of Dagster's tables before the last that does something on PostgreSQL."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """Of its own, since it is killed, and the databases have the names of the manifests."""
    with PostgreSQL() as made:
        for name in DATABASES:
            made.create(name)
        yield made


@pytest.fixture(scope="module")
def dagster_home(root, server, tmp_path_factory) -> Path:
    """A folder with the part of the manifests' dagster.yaml that a migration reads."""
    folder = tmp_path_factory.mktemp("dagster")
    config = yaml.safe_load((root / "k8s" / "base" / "orchestration" / "dagster.yaml").read_text())
    kept = {name: config[name] for name in ("storage", "telemetry")}
    kept["storage"]["postgres"]["postgres_db"]["port"] = server.port
    (folder / "dagster.yaml").write_text(yaml.safe_dump(kept))
    return folder


@pytest.fixture(autouse=True)
def environment(server, dagster_home, monkeypatch) -> None:
    for name, value in {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": USER,
        "PGPASSWORD": PASSWORD,
        "DAGSTER_HOME": str(dagster_home),
    }.items():
        monkeypatch.setenv(name, value)


def job(root: Path, name: str) -> list[str]:
    """The command of a Job, with the programs of this environment."""
    objects = yaml.safe_load_all((root / "k8s" / "rendered" / "local.yaml").read_text())
    (found,) = (o for o in objects if o["kind"] == "Job" and o["metadata"]["name"].startswith(f"{name}-migrate"))
    program, *rest = found["spec"]["template"]["spec"]["containers"][0]["command"]
    return [str(Path(sys.executable).parent / program), *rest]


def fetched(engine: sa.Engine, statement: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.text(statement)).scalar()


# -- tables of the version before, each with a row in it ------------------------------------------------------------


def dagster_before(engine: sa.Engine) -> Callable[[], bool]:
    """Dagster's own tables taken back by a revision, with a run."""
    import dagster_postgres
    from dagster._core.storage.sql import get_alembic_config, run_alembic_downgrade

    @dg.asset(name="kept")
    def made() -> None:
        return None

    with dg.DagsterInstance.get() as instance:
        dg.materialize([made], instance=instance, tags={"name": KEPT})
    with engine.connect() as connection:
        run_alembic_downgrade(get_alembic_config(dagster_postgres.__file__), connection, BEFORE_DAGSTER)
    limits = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'using_default_limit'"
    assert fetched(engine, limits) == 0

    def holds() -> bool:
        with dg.DagsterInstance.get() as instance:
            runs = instance.get_runs(dg.RunsFilter(tags={"name": KEPT}))
            kept = instance.fetch_materializations(dg.AssetKey("kept"), limit=1).records
        return fetched(engine, limits) == 1 and [run.run_id for run in runs] == [record.run_id for record in kept]

    return holds


def mlflow_before(engine: sa.Engine) -> Callable[[], bool]:
    """MLflow's tables as two revisions before made them, with an experiment; its server would not start on them."""
    from alembic import command
    from alembic.script import ScriptDirectory
    from mlflow.exceptions import MlflowException
    from mlflow.store.db.utils import _get_alembic_config, _verify_schema
    from mlflow.store.tracking.dbmodels.initial_models import Base

    Base.metadata.create_all(engine)
    config = _get_alembic_config(engine.url.render_as_string(hide_password=False))
    revisions = [found.revision for found in ScriptDirectory.from_config(config).walk_revisions()]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revisions[2])
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO experiments (name, lifecycle_stage) VALUES (:name, 'active')"), {"name": KEPT}
        )
    with pytest.raises(MlflowException, match="out-of-date database schema"):
        _verify_schema(engine)

    def holds() -> bool:
        _verify_schema(engine)
        return fetched(engine, f"SELECT count(*) FROM experiments WHERE name = '{KEPT}'") == 1

    return holds


def llmops_before(engine: sa.Engine) -> Callable[[], bool]:
    """The interaction log without the columns that were added later, with a question."""
    columns = [
        sa.Column(c.name, c.type, primary_key=c.primary_key) for c in INTERACTIONS.columns if c.name not in ADDED
    ]
    old = sa.Table(INTERACTIONS.name, sa.MetaData(), *columns)
    old.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(old).values(id=KEPT))

    def holds() -> bool:
        found = {column["name"] for column in sa.inspect(engine).get_columns(INTERACTIONS.name)}
        tables = set(sa.inspect(engine).get_table_names())
        return (
            found == {column.name for column in INTERACTIONS.columns}
            and {"audit", "api_keys", "budgets", "batches"} <= tables
            and fetched(engine, "SELECT id FROM interactions") == KEPT
        )

    return holds


BEFORE = {"dagster": dagster_before, "mlflow": mlflow_before, "llmops": llmops_before}
HELD = {"dagster": "alembic_version", "mlflow": "alembic_version", "llmops": INTERACTIONS.name}
"""What a migration writes when it has begun and not yet ended: alembic notes a revision after its changes."""
REVISION = "SELECT version_num FROM alembic_version"
COLUMNS = f"SELECT count(*) FROM information_schema.columns WHERE table_name = '{INTERACTIONS.name}'"
STATE = {"dagster": REVISION, "mlflow": REVISION, "llmops": COLUMNS}


@pytest.mark.parametrize("name", DATABASES)
def test_a_migration_that_loses_its_server_leaves_what_was_and_the_next_one_ends(root, server, name):
    engine = sa.create_engine(server.url(name), pool_pre_ping=True)
    holds = BEFORE[name](engine)
    before = fetched(engine, STATE[name])
    with engine.connect() as connection:
        # It can be read, and who writes waits.
        connection.execute(sa.text(f"LOCK TABLE {HELD[name]} IN SHARE MODE"))
        first = subprocess.Popen(job(root, name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + 120
        waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{HELD[name]}'::regclass"
        while not fetched(engine, waiting):
            assert first.poll() is None, first.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.kill()
        said, _ = first.communicate(timeout=60)
        connection.invalidate()
    assert first.returncode != 0, said
    server.start()
    assert fetched(engine, STATE[name]) == before
    again = subprocess.run(job(root, name), capture_output=True, text=True, timeout=120, check=False, env=os.environ)
    assert again.returncode == 0, again.stdout + again.stderr
    assert holds()
    engine.dispose()
