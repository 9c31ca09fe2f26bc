"""What a text is written in, and names behind cues of other scripts."""

import re

import pytest

from llmops_assets.lib.redaction import Redactor, scripts


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(names=False)


CUES = {
    "Cyrillic": "Меня зовут [Ольга Смирнова], жду ответа; Лампа сломалась. С уважением, [Олег Петров]"
    "; Здравствуйте, [Олег], где заказ?; мене звати [Тарас]",
    "Greek": "Με λένε [Νίκος Παππάς]; Ονομάζομαι [Ελένη]; Περιμένω. Με εκτίμηση, [Νίκος Παππάς]",
    "Han": "我叫[李明]，灯坏了; 姓名：[李明]; [李]先生来过",
    "Kana": "私の名前は[田中一郎]です; [田中]と申します; [田中]さんに聞きました",
    "Hangul": "제 이름은 [김민수]입니다",
    "Arabic": "اسمي [أحمد علي]; السيد [أحمد] اتصل",
    "Hebrew": "קוראים לי [דוד כהן]",
    "Devanagari": "मेरा नाम [अमित वर्मा] है; श्री [अमित] आए",
}


def test_every_script_with_cues_has_examples():
    assert set(CUES) == set(scripts._CUES)


@pytest.mark.parametrize("script", CUES)
def test_a_cue_of_a_script_gives_away_a_name(redactor, script):
    for text in CUES[script].split("; "):
        before, value, after = re.split(r"[\[\]]", text)
        assert scripts.script_of(before + value + after) == script
        assert redactor.redact([before + value + after]) == [f"{before}<PERSON_1>{after}"]


@pytest.mark.parametrize(
    "text",
    [
        "Где мой заказ? Лампа не работает.",
        "Πού είναι η λάμπα;",
        "灯坏了，请换一个",
        "ランプが壊れました",
        "أين المصباح؟",
    ],
)
def test_without_a_cue_nothing_is_taken_for_a_name(redactor, text):
    assert redactor.redact([text]) == [text]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Where is my lamp?", "Latin"),
        ("Ist die Straße noch gesperrt?", "Latin"),
        ("My wife 李 ordered the lamp last week", "Latin"),
        ("<PERSON_1> 灯坏了", "Han"),
        ("ランプが壊れた", "Kana"),
        ("48213 !", ""),
        ("ཀཁག", "other"),
    ],
)
def test_a_text_is_of_the_script_of_its_letters_and_a_name_in_it_changes_nothing(text, script):
    assert scripts.script_of(text) == script


def test_a_script_is_read_where_a_model_of_its_language_is_installed():
    assert scripts.unread("Где мой заказ?", {"en"}) == "Cyrillic"
    assert scripts.unread("Где мой заказ?", {"en", "ru"}) == ""
    assert scripts.unread("Where is it?", {"en"}) == ""
