import pytest

from llmops_assets.lib.quality_filters import by_reason, expected_languages, other_language, sort_out


def reason(question, answer="Returns are free for 30 days."):
    _, dropped = sort_out([{"row_id": "r", "question": question, "answer": answer}])
    return dropped[0]["reason"] if dropped else None


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("", "too short"),
        ("<ORDER_NUMBER_1> ?", "too short"),
        ("Où est ma commande ? dÃ©jÃ  payÃ©e", "broken: wrongly decoded"),
        ("Where is my \ufffd\ufffd order", "broken: wrongly decoded"),
        ("Where is my order\x00\x01", "broken: control characters"),
        ("abc 0000 1111 2222 3333 4444 5555 ====", "broken: digits and marks only"),
        ("Automatic reply: I am out of office until Monday", "boilerplate: automatic reply"),
        ("Hello,\n\nKind regards\n--\n", "boilerplate: greeting or signature alone"),
        ("You are such an idiot", "toxic"),
        ("I hate all immigrants", "toxic"),
    ],
)
def test_what_teaches_nothing_goes_out_with_its_reason(question, expected):
    assert reason(question) == expected


@pytest.mark.parametrize(
    "question",
    [
        "Where is my order?",
        "refund?",
        "Wo ist meine Bestellung?",
        "أين طلبي؟",
        "我的订单在哪里",
        "My order <ORDER_NUMBER_1> has not arrived 😡😡",
        "This stupid lamp is garbage, I hate it",
        "I hate waiting, your delivery is useless",
        "Hello,\nwhere is my parcel?\nKind regards",
        "I received your message, what now?",
        "Code 12345678 does not work",
    ],
)
def test_short_foreign_angry_and_polite_questions_stay(question):
    assert reason(question) is None


@pytest.mark.parametrize(
    ("answer", "dropped"),
    [
        ("Thank you for your message. I will forward this to a colleague.", True),
        ("A colleague will come back to you. Have a nice day!", True),
        ("I will look into it.", True),
        ("Thank you for your message. Returns are free for 30 days. Have a nice day!", False),
        ("", False),
    ],
)
def test_an_agents_macro_without_content_is_boilerplate(answer, dropped):
    assert (reason("Where is my order?", answer) == "boilerplate: the answer says nothing") == dropped


def test_slurs_count_in_answers_too():
    assert reason("Where is my order?", "You b" + "astard, wait") == "toxic"


def test_a_language_goes_out_only_when_few_rows_are_in_it_and_there_is_enough_text():
    row = {"row_id": "r", "question": "Où est ma commande, s'il vous plaît ?", "language": "fr"}
    assert other_language(row, ["en"]) == "wrong language: fr"
    assert other_language(row, ["en", "fr"]) is None
    assert other_language({**row, "question": "commande ?"}, ["en"]) is None
    assert other_language({**row, "language": ""}, ["en"]) is None
    asked = [{"language": "nl"}] * 90 + [{"language": "fr"}] * 9 + [{"language": "de"}]
    assert expected_languages(asked, ["en"]) == {"en", "nl", "fr"}


def test_a_filter_of_ones_own_is_a_function():
    def shouting(row):
        return "shouting" if row["question"].isupper() else None

    rows = [{"row_id": "1", "question": "HELP ME"}, {"row_id": "2", "question": "Help me"}]
    kept, dropped = sort_out(rows, {"shouting": shouting})
    assert [row["row_id"] for row in kept] == ["2"]
    assert dropped == [{"row_id": "1", "question": "HELP ME", "reason": "shouting"}]


def test_reasons_are_counted_without_what_they_point_to():
    reasons = ["duplicate of a1 (0.83)", "duplicate of b2 (1.00)", "too short", "typos: a name changed"]
    found = by_reason({"reason": reason} for reason in reasons)
    assert found == {"duplicate": 2, "too short": 1, "typos: a name changed": 1}
