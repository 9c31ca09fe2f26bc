"""A process that dies at any step of a promotion or a rollback leaves a release that serves, the old or the new."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway_support import Files
from signing_support import KEY, seal_of, trusted_file

from llmops_assets.gateway.bundle import bundle_folder, load_bundle, write_bundle
from llmops_assets.gateway.state import read_state, write_state
from llmops_assets.lib.records import ReleaseManifest
from llmops_assets.lib.signing import read_trusted
from resources.deployment_target.rollout import Move, Wanted, moved

pytestmark = pytest.mark.slow

STEPS = {"open", "os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir", "shutil.rmtree", "shutil.copyfile"}
"""What a process does to a disk, by the names of Python's audit events."""
DIED = 9


def dies_at(step: int, root: Path, work: Callable[[], object]) -> bool:
    """Do the work in a process of its own, which dies before its step of that number; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = [step]

        def count(event: str, arguments: tuple) -> None:
            if event in STEPS and str(root) in str(arguments):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(DIED)

        sys.addaudithook(count)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, DIED)
    return ended == DIED


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("before", ["nothing of it", "its candidate", "all of it"])
def test_a_promotion_that_dies_at_any_step_serves_what_it_served_or_what_it_should(files, tmp_path, before):
    """The state is what a target does it: bring the files in, then move. `before` is what was there of the release."""
    one, two = files.manifest("one"), files.manifest("two")
    trusted = read_trusted(trusted_file(tmp_path / "trusted.pem", KEY))
    steps = 0
    while True:
        root = tmp_path / f"root-{steps}"
        promote(files, root, one, "live")
        if before != "nothing of it":
            seal = seal_of(two) if before == "all of it" else {}
            write_bundle(root, two, files.fetch, files.base, seal)
        move: Move = "roll_back" if before == "all of it" else "live"
        dead = dies_at(steps, root, lambda root=root, move=move: promote(files, root, two, move))
        state = read_state(root)
        assert state.live in (one.release_id, two.release_id)
        for name in state.releases():
            load_bundle(bundle_folder(root, name), trusted=trusted)
        promote(files, root, two, move)
        assert (read_state(root).live, read_state(root).previous) == (two.release_id, one.release_id)
        assert load_bundle(bundle_folder(root, two.release_id), trusted=trusted).signed_by == KEY.id
        if not dead:
            break
        steps += 1
    assert steps >= 4


def promote(files: Files, root: Path, manifest: ReleaseManifest, move: Move) -> None:
    write_bundle(root, manifest, files.fetch, files.base, seal_of(manifest))
    write_state(root, moved(read_state(root), move, Wanted(manifest.release_id)))
