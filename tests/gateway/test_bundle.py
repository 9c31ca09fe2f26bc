import pytest

from llmops_assets.gateway.bundle import BundleError, load_bundle, write_bundle
from llmops_assets.gateway.state import ServingState, read_state, write_state


def test_a_bundle_is_complete_and_verified_or_absent(files, tmp_path):
    manifest = files.manifest()
    bundle = write_bundle(tmp_path, manifest, files.fetch, files.base)
    assert bundle.folder.name == manifest.release_id
    assert load_bundle(bundle.folder).manifest == manifest
    assert write_bundle(tmp_path, manifest, files.fetch, files.base) == bundle


@pytest.mark.parametrize("damage", ["change", "remove", "manifest"])
def test_a_damaged_bundle_is_refused_and_made_again(files, tmp_path, damage):
    bundle = files.bundle(tmp_path)
    assert bundle.index is not None
    if damage == "change":
        bundle.index.write_bytes(b"other")
    elif damage == "remove":
        bundle.index.unlink()
    else:
        (bundle.folder / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match="apply the release again"):
        load_bundle(bundle.folder)
    assert files.bundle(tmp_path).index.read_bytes() != b"other"


def test_a_file_that_is_not_what_the_manifest_names_leaves_nothing(files, tmp_path):
    manifest = files.manifest()

    def wrong(file, target):
        target.write_bytes(b"something else")

    with pytest.raises(BundleError, match=r"index\.zip"):
        write_bundle(tmp_path, manifest, wrong, files.base)
    assert list((tmp_path / "bundles").iterdir()) == []


def test_a_base_model_of_another_hash_is_not_served(files, tmp_path):
    files.base.write_bytes(b"another base")
    with pytest.raises(BundleError, match=r"model\.gguf"):
        files.bundle(tmp_path)


def test_the_state_is_replaced_whole(tmp_path):
    assert read_state(tmp_path) == ServingState()
    state = ServingState(generation=3, live="r-1", canary="r-2", canary_share=0.1, preview="r-1")
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    assert state.releases() == ("r-1", "r-2")
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]
