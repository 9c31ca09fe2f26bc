"""Answers questions of lineage for the command line."""

import dagster as dg

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover import lineage as collecting
from llmops_assets.lib.lineage import Lineage, Node
from resources import home_folder, open_lake, open_registry
from resources.workspace import Workspace


def broken_links() -> list[str]:
    """Every broken link between Dagster, lake and MLflow."""
    workspace = Workspace(home_folder())
    with dg.DagsterInstance.get() as instance:
        return collecting.verify(instance, open_lake(workspace), open_registry(workspace))


def find(name: str) -> tuple[Lineage, list[Node]]:
    """The lineage of the installation and the nodes of a name. NoSuchNameError when it has none."""
    workspace = Workspace(home_folder())
    with dg.DagsterInstance.get() as instance:
        lake, log = open_lake(workspace), InteractionLog(workspace.log_url)
        ui = f"http://127.0.0.1:{workspace.settings.dagster_port}"
        graph = collecting.collect(instance, lake, log, dagster_ui=ui)
        if not graph.knows(name):
            collecting.add_named(graph, name, instance, lake, log)
        return graph, graph.find(name)
