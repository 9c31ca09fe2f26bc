import pytest
from support import article

from llmops_assets.lib import evalsuite
from llmops_assets.lib.slices import SliceError, read_folder

ARTICLES = [article("warranty", "A lamp has 5 years, a bulb 2 years.", facts=(("5 years",),)), article("b", "B.")]


def written(folder, **files: str):
    """Slices of a folder with these files; `_` before an ending stands for its dot."""
    for name, text in files.items():
        (folder / ".".join(name.rsplit("_", 1))).write_text(text)
    return folder


def suite(folder, **scorers):
    return evalsuite.build_suite(ARTICLES, (), new_since=None, slices=read_folder(folder, scorers))


def refused(folder, **scorers) -> str:
    with pytest.raises(SliceError) as error:
        read_folder(folder, scorers)
    return str(error.value)


def test_a_file_is_a_slice_with_its_scorer(tmp_path):
    folder = written(
        tmp_path,
        prices_yaml="- {question: 'How long?', expect: warranty, forbid: [lifetime]}\n"
        "- {question: 'And now?', require: [[a, b], c]}",
        manners_jsonl='{"question": "Hi", "expect": "small_talk"}\n\n'
        '{"question": "Wo?", "expect": ["handover"], "language": "de"}\n',
    )
    items = suite(folder, prices="exact")
    assert evalsuite.counts(items) == {"manners": 2, "prices": 2}
    by_question = {item.question: item for item in items}
    known = by_question["How long?"]
    assert (known.article, known.facts, known.scorer) == ("warranty", (("5 years",),), "exact")
    assert (known.forbidden, known.reference) == (("lifetime",), "A lamp has 5 years, a bulb 2 years.")
    assert (by_question["And now?"].article, by_question["And now?"].facts) == ("", (("a", "b"), ("c",)))
    assert by_question["Hi"].small_talk
    assert (by_question["Wo?"].article, by_question["Wo?"].language, by_question["Wo?"].scorer) == (None, "de", "")


def test_a_question_whose_article_is_not_there_is_left_out(tmp_path):
    assert suite(written(tmp_path, a_yaml="- {question: 'How long?', expect: gone}")) == []


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.yaml", "", "a.yaml: no questions: write some, or remove the file"),
        ("a.yaml", "# nothing yet", "a.yaml: no questions"),
        ("a.yaml", "question: x", "a.yaml, line 1: no list: begin every question with '- question: …'"),
        ("a.yaml", "- {question: x, require: y}\n- z\n", "a.yaml, line 2: no question: write"),
        ("a.yaml", "- {question: x, require: y}\n- {[\n", "a.yaml, line 3: no YAML: "),
        ("a.yaml", "\n- question: x\n", "a.yaml, line 2: nothing says what a right answer is: give expect, require"),
        ("a.yaml", "- {question: x, requires: y}", "a.yaml, line 1: requires: there is no such setting"),
        ("a.yaml", "- {question: x, form: '('}", "a.yaml, line 1: form: no regular expression: "),
        ("a.yaml", "- {question: x, forbid: ['']}", "a.yaml, line 1: an empty wording in require or forbid"),
        ("a.jsonl", '{"question": "x", "require": "y"}\n{"question"', "a.jsonl, line 2: broken JSON ("),
        ("a.jsonl", "[1]", "a.jsonl, line 1: no object: write a question as {…}"),
        ("a.txt", "x", "a.txt: no slice: it must be a .yaml, .yml, .jsonl file"),
        ("My Slice.yaml", "x", "'My Slice' is no name for a slice"),
        ("faq.yaml", "x", "faq.yaml: the suite has a slice faq of its own: rename the file"),
        ("failure_x.yaml", "x", "the suite has a slice failure_x of its own"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_what_to_do(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    assert told in refused(tmp_path)


def test_the_same_question_or_id_twice_names_both_places(tmp_path):
    twice = "- {question: x, require: y}\n- {id: one, question: z, require: y}\n- {question: x, require: w}\n"
    assert "a.yaml, line 3: the same as a.yaml, line 1" in refused(written(tmp_path, a_yaml=twice))
    (tmp_path / "a.yaml").write_text("- {id: one, question: z, require: y}")
    (tmp_path / "b.yml").write_text("- {id: one, question: q, require: y}")
    assert "b.yml, line 1: the same as a.yaml, line 1: change its id" in refused(tmp_path)


def test_a_second_file_of_a_slice_is_refused(tmp_path):
    one = '{"question": "x", "require": "y"}'
    assert "a second file of the slice a" in refused(written(tmp_path, a_jsonl=one, a_yaml=f"- {one}"))


def test_a_scorer_that_is_not_there_or_of_no_slice_is_refused(tmp_path):
    folder = written(tmp_path, a_yaml="- {question: x, require: y}")
    assert "scorers: a: there is no scorer 'magic', only exact, expected, facts" in refused(folder, a="magic")
    assert "cannot be loaded: No module named 'nowhere'" in refused(folder, a="nowhere:polite")
    assert f"scorers: b: {folder} has no such slice: take it out, or add b.yaml" in refused(folder, b="exact")


def test_everything_wrong_is_told_at_once_up_to_a_handful(tmp_path):
    lines = refused(written(tmp_path, a_yaml="- x\n" * 7)).splitlines()
    assert len(lines) == 6
    assert lines[-1] == "… and 2 more"


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "nowhere: No such file or directory: name a folder" in refused(tmp_path / "nowhere")
