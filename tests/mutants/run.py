"""Small faults put into the code one at a time, each with the tests that must notice it.

Usage: python tests/mutants/run.py [AREA ...] [--jobs 2] [--timeout 300]. Every *.yaml beside this file is an area: a
list of mutations with the keys `name`, `file`, `old` (text that stands there once), `new`, `tests` (arguments of
pytest) and, for one that nothing can notice, `survives` (the reason in a line). They are tried in copies of the tree;
the tree itself is only read.
"""

import argparse
import ast
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

import yaml

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
GOAL = 0.9
"""Share of all mutations that tests must notice."""
TESTS_FAILED = 1
"""pytest's exit status when tests ran and some failed: anything else but 0 is no judgement."""

Result = Literal["noticed", "timeout", "survived", "error"]


@dataclass(frozen=True)
class Mutation:
    """A fault: `new` in place of `old` in `file`, which one of `tests` must notice."""

    area: str
    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    survives: str = ""


@dataclass(frozen=True)
class Outcome:
    """What the tests said about a mutation; `message` is pytest's last words where they are no judgement."""

    mutation: Mutation
    result: Result
    seconds: float
    message: str = ""

    @property
    def noticed(self) -> bool:
        """Whether the tests failed, or ended no more."""
        return self.result in ("noticed", "timeout")


def load(folder: Path = FOLDER, areas: Sequence[str] = ()) -> list[Mutation]:
    """The mutations of the areas, all where none is named. ValueError on an entry that cannot be read."""
    files = {file.stem: file for file in sorted(folder.glob("*.yaml"))}
    unknown = sorted(set(areas) - set(files))
    if unknown:
        raise ValueError(f"no area {', '.join(unknown)}: there are {', '.join(files)}")
    found = []
    for area, file in files.items():
        if areas and area not in areas:
            continue
        for number, entry in enumerate(yaml.safe_load(file.read_text("utf-8")) or [], 1):
            try:
                found.append(Mutation(area, **{**entry, "tests": tuple(entry["tests"])}))
            except (TypeError, KeyError) as error:
                raise ValueError(f"{file.name}, entry {number}: {error}") from error
    return found


def flaws(mutation: Mutation, root: Path = ROOT) -> list[str]:
    """Why a mutation says nothing: it cannot be applied, changes nothing, does not compile or names no test."""
    file = root / mutation.file
    if not file.is_file():
        return [f"{mutation.file} is no file"]
    text = file.read_text("utf-8")
    found = [] if mutation.tests else ["names no tests"]
    if (count := text.count(mutation.old)) != 1:
        found.append(f"`old` stands {count} times in {mutation.file}, not once")
    if mutation.old == mutation.new:
        found.append("`new` is `old`")
    if file.suffix == ".py":
        try:
            compile(text.replace(mutation.old, mutation.new), mutation.file, "exec")
        except SyntaxError as error:
            found.append(f"does not compile: {error}")
    chosen = [
        test for before, test in zip(("", *mutation.tests), mutation.tests, strict=False) if "-k" not in (before, test)
    ]
    return found + [f"there is no {test}" for test in chosen if not _exists(root, test)]


def _exists(root: Path, test: str) -> bool:
    """Whether a folder, module or node id names tests; options such as `-k` are taken as they are."""
    if test.startswith("-"):
        return True
    path, *names = test.partition("[")[0].split("::")
    if not names:
        return (root / path).exists()
    if not (root / path).is_file():
        return False
    return _defined((root / path).read_text("utf-8")).issuperset(names)


@functools.cache
def _defined(code: str) -> frozenset[str]:
    """Names of what a module defines, at any depth."""
    return frozenset(node.name for node in ast.walk(ast.parse(code)) if hasattr(node, "name"))


def run(mutations: Sequence[Mutation], *, root: Path = ROOT, jobs: int = 2, timeout: float = 300.0) -> list[Outcome]:
    """Try each mutation in a copy of the tree, and print what came of it. Its tests must pass without it."""
    with ExitStack() as stack:
        copies: SimpleQueue[Path] = SimpleQueue()
        for _ in range(jobs):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")))
            copy_tree(root, folder)
            copies.put(folder)
        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        stack.callback(pool.shutdown, cancel_futures=True)
        sound = {tests: pool.submit(_unchanged, copies, tests, timeout) for tests in _distinct(mutations)}
        broken = {tests: future.result() for tests, future in sound.items()}
        running = [pool.submit(_try, copies, m, broken[m.tests], timeout) for m in mutations]
        for future in as_completed(running):
            _print(future.result())
        return [future.result() for future in running]


def copy_tree(root: Path, folder: Path) -> None:
    """Copy what git tracks, and what it does not ignore, as it stands in the working tree."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout
    for name in dict.fromkeys(names.split("\0")):
        source, target = root / name, folder / name
        # A file that was removed but not yet from git's index is listed too.
        if name and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _distinct(mutations: Iterable[Mutation]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(mutation.tests for mutation in mutations))


def _unchanged(copies: SimpleQueue[Path], tests: tuple[str, ...], timeout: float) -> str:
    """Why the tests judge nothing: they do not even pass without a mutation. Empty where they do."""
    folder = copies.get()
    try:
        status, output = _pytest(folder, tests, timeout)
    finally:
        copies.put(folder)
    return "" if status == 0 else f"fails without the mutation: {output}"


def _try(copies: SimpleQueue[Path], mutation: Mutation, broken: str, timeout: float) -> Outcome:
    if broken:
        return Outcome(mutation, "error", 0.0, broken)
    folder = copies.get()
    started = time.monotonic()
    file = folder / mutation.file
    text = file.read_text("utf-8")
    try:
        file.write_text(text.replace(mutation.old, mutation.new), "utf-8")
        status, output = _pytest(folder, mutation.tests, timeout)
    finally:
        file.write_text(text, "utf-8")
        copies.put(folder)
    seconds = time.monotonic() - started
    if status is None:
        return Outcome(mutation, "timeout", seconds)
    if status == TESTS_FAILED:
        return Outcome(mutation, "noticed", seconds)
    return Outcome(mutation, "error" if status else "survived", seconds, output if status else "")


def _pytest(folder: Path, tests: Sequence[str], timeout: float) -> tuple[int | None, str]:
    """pytest's exit status, None past the time, and its last lines."""
    # The size and second of a mutated file may be those of the file before it: no bytecode is kept. Processes that
    # tests start must find the copy's code too, not the installed package's.
    places = {"PYTHONPATH": str(folder), "DAGSTER_HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={**os.environ, **places, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, " | ".join(output.strip().splitlines()[-3:])
    except subprocess.TimeoutExpired:
        return None, f"not done after {timeout:.0f} s"
    finally:
        # Also what the tests started and did not end.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def report(outcomes: Sequence[Outcome]) -> int:
    """Print the score per area and overall; the exit status: 1 below the goal, on an error, on an unnamed survivor."""
    survivors = [o for o in outcomes if o.result == "survived"]
    for outcome in survivors:
        print(f"survived: {outcome.mutation.name}: {outcome.mutation.survives or 'NO JUSTIFICATION'}")
    for area in dict.fromkeys(o.mutation.area for o in outcomes):
        print(f"{area}: {_score([o for o in outcomes if o.mutation.area == area])}")
    print(f"overall: {_score(outcomes)}")
    enough = sum(o.noticed for o in outcomes) >= GOAL * len(outcomes)
    errors = any(o.result == "error" for o in outcomes)
    return int(not enough or errors or any(not o.mutation.survives for o in survivors))


def _score(outcomes: Sequence[Outcome]) -> str:
    noticed = sum(o.noticed for o in outcomes)
    return f"{noticed} of {len(outcomes)} noticed ({noticed / len(outcomes):.0%})"


def _print(outcome: Outcome) -> None:
    said = f": {outcome.message}" if outcome.message else ""
    mutation = outcome.mutation
    print(f"{outcome.result:<8}  {mutation.area}: {mutation.name} ({outcome.seconds:.0f} s){said}", flush=True)


def main() -> int:
    """Run the areas named on the command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("areas", nargs="*", help="names of the files, without .yaml; all where none is named")
    parser.add_argument("--jobs", type=int, default=2, help="copies of the tree that are tried at once")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for the tests of one mutation")
    arguments = parser.parse_args()
    try:
        mutations = load(areas=arguments.areas)
    except ValueError as error:
        parser.error(str(error))
    wrong = [f"{m.area}: {m.name}: {flaw}" for m in mutations for flaw in flaws(m)]
    if wrong or not mutations:
        print("\n".join(wrong) or "there are no mutations")
        return 1
    return report(run(mutations, jobs=arguments.jobs, timeout=arguments.timeout))


if __name__ == "__main__":
    raise SystemExit(main())
