"""A thousand single bytes of a release are changed, one at a time: how many of them are refused, and by which file.

Usage: python benchmarks/tampering.py [--mutations N] [--bundle FOLDER --trusted FILE]

Without a bundle of an installation (`.llmops/gateway/bundles/RELEASE`, `.llmops/keys/trusted.pem`) one is made like the
demonstration's: the base model's file, an adapter of 4 MB, the index of the sample's articles. Half of the changes are
spread over the files evenly, so that the small ones are hit everywhere, half by the size of the files. Each is verified
as a gateway does before it loads a release, then put back.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from sealing import seal, trusted

from llmops_assets.gateway.bundle import load_bundle, write_bundle
from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import FileRef, LakeRef, PromptRef, ReleaseManifest, RouterPolicy
from llmops_assets.lib.signing import RefusedError, read_trusted
from llmops_assets.samples import generator
from resources.models import Models


def main() -> None:
    """Print what was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=1000)
    parser.add_argument("--bundle", type=Path, help="a release's folder; it is copied before anything is changed")
    parser.add_argument("--trusted", type=Path, help="the keys that it was signed by")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if arguments.bundle is None:
            bundle, keys = made(root), trusted(root)
        else:
            bundle = root / "bundles" / arguments.bundle.name
            shutil.copytree(arguments.bundle, bundle)
            keys = arguments.trusted
        mutate(bundle, keys, arguments.mutations)


def made(root: Path) -> Path:
    """A bundle like those of the demonstration."""
    chance = random.Random(1)
    parts = {"adapter": chance.randbytes(4_000_000)}
    parts["index"] = KnowledgeIndex.build(generator.load_articles(), Embedder(find_embedder_folder())).to_bytes()
    files = {
        name: FileRef(
            ref=LakeRef(repository="lake", commit="c" * 40, path=name), sha256=hash_bytes(data), size=len(data)
        )
        for name, data in parts.items()
    }
    base = Models(root / "models").resolve("smollm2-135m-instruct")
    manifest = ReleaseManifest(
        base=base.ref,
        adapter=files["adapter"],
        adapter_digest="a" * 64,
        prompt=PromptRef(name="assistant", version=1, template="Be brief.", digest="p"),
        knowledge_index=files["index"],
        router=RouterPolicy(answer_above=0.7, hand_over_below=0.3),
        handover="A colleague will help.",
    )

    def fetch(file: FileRef, target: Path) -> None:
        target.write_bytes(parts[file.ref.path])

    # A copy: what is changed here is shared with nobody.
    copy = root / "base.gguf"
    shutil.copyfile(base.gguf or Path(), copy)
    return write_bundle(root, manifest, fetch, copy, seal(manifest)).folder


def mutate(bundle: Path, keys: Path, mutations: int) -> None:
    """Change bytes, one at a time, and print which were refused."""
    chance, known = random.Random(2), read_trusted(keys)
    load_bundle(bundle, trusted=known)
    paths = [path for path in sorted(bundle.rglob("*")) if path.is_file()]
    sizes = [path.stat().st_size for path in paths]
    print(f"{bundle.name}: {len(paths)} files, {sum(sizes) / 1e6:.1f} MB")
    hit, refused, named = Counter[str](), Counter[str](), Counter[str]()
    seconds = 0.0
    for turn in range(mutations):
        path = paths[turn // 2 % len(paths)] if turn % 2 else chance.choices(paths, sizes)[0]
        name = path.relative_to(bundle).as_posix()
        at, bit = chance.randrange(path.stat().st_size), 1 << chance.randrange(8)
        flip(path, at, bit)
        hit[name] += 1
        began = time.monotonic()
        try:
            load_bundle(bundle, trusted=known)
        except RefusedError as error:
            refused[name] += 1
            named[name] += error.file == name
        seconds += time.monotonic() - began
        flip(path, at, bit)
    load_bundle(bundle, trusted=known)
    print(f"{'file':<26}{'changed':>9}{'refused':>9}{'named':>9}")
    for name in sorted(hit):
        print(f"{name:<26}{hit[name]:>9}{refused[name]:>9}{named[name]:>9}")
    print(f"{hit.total()} single bytes changed, {refused.total()} refused; {1000 * seconds / mutations:.0f} ms each")


def flip(path: Path, at: int, bit: int) -> None:
    """Change one bit of a file where it lies."""
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ bit]))


if __name__ == "__main__":
    main()
