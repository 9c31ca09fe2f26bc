"""Base models by name: what a name resolves to, and that the name it was asked for by finds it again."""

import shutil

import pytest

from resources.models import ModelNotFoundError, Models


def test_a_folder_with_a_gguf_is_converted_once_and_named_by_its_last_part(tiny_gguf, tmp_path):
    models = Models(tmp_path / "cache")
    first = models.resolve(str(tiny_gguf))
    assert first.source == str(tiny_gguf)
    assert first.ref.name == tiny_gguf.name
    assert first.gguf == tiny_gguf / "tiny.gguf"
    written = (first.folder / "model.safetensors").stat().st_mtime_ns
    again = models.resolve(first.source)
    assert again == first
    assert (again.folder / "model.safetensors").stat().st_mtime_ns == written
    assert [p.name for p in models.cache.iterdir()] == [first.ref.digest[:32]]


def test_a_checkpoint_is_known_by_its_files_wherever_they_lie(tiny_model, tmp_path):
    folder = tmp_path / "somewhere" / tiny_model.folder.name
    shutil.copytree(tiny_model.folder, folder)
    here, there = (Models(tmp_path / "cache").resolve(str(f)) for f in (tiny_model.folder, folder))
    assert here.ref == there.ref
    assert (here.source, there.source) == (str(tiny_model.folder), str(folder))
    assert there.gguf is None
    (folder / "tokenizer_config.json").write_text("{}")
    assert Models(tmp_path / "cache").resolve(str(folder)).ref.digest != here.ref.digest


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("config.json", "neither a .gguf file nor a Hugging Face checkpoint"),
        ("model.safetensors", "no .safetensors weights"),
        ("tokenizer.json", "no tokenizer.json"),
    ],
)
def test_an_incomplete_folder_is_refused_with_what_it_lacks(tiny_model, tmp_path, missing, said):
    shutil.copytree(tiny_model.folder, tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    with pytest.raises(ModelNotFoundError, match=said):
        Models(tmp_path / "cache").resolve(str(tmp_path / "model"))


def test_a_name_that_is_no_folder_needs_the_hub_which_is_switched_off_here(tmp_path):
    with pytest.raises(ModelNotFoundError, match="'some/model' is neither 'smollm2-135m-instruct' nor a folder"):
        Models(tmp_path / "cache").resolve("some/model")
