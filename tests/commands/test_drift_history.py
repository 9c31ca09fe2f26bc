"""What the history of drift takes out of the lake: every judged day, one that was judged again, and nothing else."""

from llmops_assets.commands.drift_history import FOLDER, bring
from llmops_assets.lib.watching import evidently_history


def put(lake, **days: bytes) -> None:
    with lake.transaction("drift", name="drift") as draft:
        for day, data in days.items():
            draft.put(f"{FOLDER}{day}.json", data)
            draft.put(f"{FOLDER}{day}.html", b"page")


def test_what_was_judged_is_brought_once_and_again_when_it_changes(lake, tmp_path):
    place = tmp_path / str(evidently_history.PROJECT)
    place.mkdir()
    # A project that is there is left as it is.
    (place / "metadata.json").write_text("{}")
    known: dict[str, str] = {}
    put(lake, **{"2026-03-10": b"one"})
    bring(lake, tmp_path, known)
    (first,) = (place / "snapshots").iterdir()
    assert first.read_bytes() == b"one"
    first.write_bytes(b"seen")
    put(lake, **{"2026-03-11": b"two"})
    bring(lake, tmp_path, known)
    assert sorted(file.read_bytes() for file in (place / "snapshots").iterdir()) == [b"seen", b"two"]
    put(lake, **{"2026-03-10": b"again"})
    bring(lake, tmp_path, known)
    assert sorted(file.read_bytes() for file in (place / "snapshots").iterdir()) == [b"again", b"two"]
    assert (place / "metadata.json").read_text() == "{}"
