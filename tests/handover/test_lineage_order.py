"""Lineage runs forwards in time: what came of something cannot be what it came from."""

import dagster as dg

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover.lineage import collect
from llmops_assets.lib.lineage import to_html


def test_a_release_that_is_handed_over_again_is_no_source_of_its_first_deployment(lake, tmp_path):
    log = InteractionLog(f"sqlite:///{tmp_path / 'log.db'}")
    with dg.DagsterInstance.ephemeral() as instance:

        def note(asset: str, back: str = "") -> str:
            metadata = {"release_id": "r-1", **({"read_back": dg.MetadataValue.json([int(back)])} if back else {})}
            instance.report_runless_asset_event(dg.AssetMaterialization(asset, metadata=metadata))
            [record] = instance.fetch_materializations(dg.AssetKey(asset), limit=1).records
            return str(record.storage_id)

        first = note("release")
        deployed = note("deployment")
        feedback = note("feedback_examples", back=deployed)
        again = note("release", back=feedback)
        found = collect(instance, lake, log)
    log.close()
    assert found.sources([deployed]) == {first: 1}
    assert set(found.results([first])) == {deployed, feedback, again}
    assert "feedback_examples" in to_html(found, [found.nodes[again]])
