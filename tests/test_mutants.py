"""Every mutation of `make mutants` can still be applied, and their runner tells noticed from survived and broken."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from mutants.run import Mutation, Outcome, Result, flaws, load, report, run

CODE = "def half(number):\n    return number / 2\n"
TESTS = {
    "test_half.py": "from code_ import half\n\ndef test_half():\n    assert half(4) == 2\n",
    "test_nothing.py": "import code_\n\ndef test_nothing():\n    assert code_\n",
    "test_broken.py": "def test_broken():\n    assert False\n",
    "test_slow.py": "from time import sleep\nimport code_\n\ndef test_slow():\n    sleep(60 * (code_.half(4) != 2))\n",
}


def mutation(new: str = "number * 2", test: str = "test_half.py", survives: str = "", **changes: str) -> Mutation:
    given = {"file": "code_.py", "old": "number / 2", **changes}
    return Mutation("toy", f"{new} under {test}", new=new, tests=(test,), survives=survives, **given)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A project of one function, in git."""
    folder = tmp_path_factory.mktemp("tree")
    for name, text in {"code_.py": CODE, "pytest.ini": "[pytest]\npythonpath = .\n", **TESTS}.items():
        (folder / name).write_text(text)
    (folder / ".gitignore").write_text("ignored.py\n")
    (folder / "ignored.py").write_text("")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


@pytest.mark.slow
def test_every_mutation_applies_compiles_and_names_tests():
    assert {f"{m.area}: {m.name}": found for m in load() if (found := flaws(m))} == {}


@pytest.mark.slow
def test_there_are_mutations_enough_and_none_is_told_twice():
    told = load()
    assert len(told) >= 80
    assert len({(m.file, m.old, m.new) for m in told}) == len(told)


@pytest.mark.slow
def test_a_mutation_is_noticed_only_when_its_tests_ran_and_failed(tree, capsys):
    tried = [
        mutation(),
        mutation(test="test_slow.py"),
        mutation(test="test_nothing.py"),
        mutation(test="test_broken.py"),
        mutation(test="test_half.py::test_gone"),
        mutation("no_name", "test_half.py::test_half"),
    ]
    outcomes = run(tried, root=tree, timeout=15)
    assert [o.result for o in outcomes] == ["noticed", "timeout", "survived", "error", "error", "noticed"]
    assert "fails without the mutation" in outcomes[3].message
    assert (tree / "code_.py").read_text() == CODE
    printed = capsys.readouterr().out
    assert all(f"{o.result:<8}  toy: {o.mutation.name}" in printed for o in outcomes)


def test_the_score_the_errors_and_unjustified_survivors_decide_the_exit_status(capsys):
    noticed, timeout, survived, error = (Outcome(mutation(), r, 1.0) for r in get_args(Result))
    justified = Outcome(mutation(survives="nothing asks"), "survived", 1.0)
    assert report([noticed, timeout]) == 0
    assert report([*[noticed] * 9, justified]) == 0
    printed = capsys.readouterr().out
    assert "survived: number * 2 under test_half.py: nothing asks" in printed
    assert "toy: 9 of 10 noticed (90%)\noverall: 9 of 10 noticed (90%)" in printed
    assert report([*[noticed] * 8, justified]) == 1
    assert report([*[noticed] * 99, survived]) == 1
    assert report([*[noticed] * 99, error]) == 1


@pytest.mark.parametrize(
    ("changed", "flaw"),
    [
        (lambda: mutation("name", old="number"), "stands 2 times in code_.py, not once"),
        (lambda: mutation(old="numbers"), "stands 0 times in code_.py, not once"),
        (lambda: mutation("number / 2"), "`new` is `old`"),
        (lambda: mutation("number /"), "does not compile"),
        (lambda: mutation(file="gone.py"), "gone.py is no file"),
        (lambda: mutation(test="test_gone.py"), "there is no test_gone.py"),
        (lambda: mutation(test="test_half.py::test_gone"), "there is no test_half.py::test_gone"),
    ],
)
def test_a_mutation_that_would_judge_nothing_is_told(tree, changed: Callable[[], Mutation], flaw):
    (found,) = flaws(changed(), tree)
    assert flaw in found
    assert flaws(mutation(test="test_half.py::test_half[4]"), tree) == []


def test_areas_are_read_by_name_and_their_entries_must_be_whole(tmp_path):
    entry = "- {name: n, file: f, old: a, new: b, tests: [t]}\n"
    (tmp_path / "one.yaml").write_text(entry)
    (tmp_path / "two.yaml").write_text(entry * 2)
    assert [m.area for m in load(tmp_path)] == ["one", "two", "two"]
    assert load(tmp_path, ["one"]) == [Mutation("one", "n", "f", "a", "b", ("t",))]
    with pytest.raises(ValueError, match="no area three: there are one, two"):
        load(tmp_path, ["three"])
    (tmp_path / "one.yaml").write_text(entry + "- {name: n, file: f, old: a, tests: [t]}\n")
    with pytest.raises(ValueError, match=r"one.yaml, entry 2: .*new"):
        load(tmp_path)
