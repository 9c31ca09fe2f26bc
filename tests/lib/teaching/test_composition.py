"""Articles of what agreeing answers share."""

from llmops_assets.lib.teaching.composition import composed, units


def test_sentences_of_two_answers_make_the_article_in_their_usual_order(words):
    answers = {
        "Hand the skis in at the desk. The deposit comes back at once. Our desk is blue.": 1,
        "Hand the skis in at the desk. The deposit comes back at once. Mind the step.": 1,
        "The weather is fine. Hand the skis in at the desk.": 1,
    }
    assert composed(answers, words.vectors) == "Hand the skis in at the desk. The deposit comes back at once."


def test_near_equal_sentences_stand_once_in_the_wording_given_most_often(words):
    answers = {"Hand the skis in at the desk.": 3, "Hand the skis in at the desk please.": 1}
    assert composed(answers, words.vectors) == "Hand the skis in at the desk."


def test_other_numbers_are_other_sentences(words):
    answers = {"The lift opens at 8. Dogs ride for free.": 1, "The lift opens at 9. Dogs ride for free.": 1}
    assert composed(answers, words.vectors) == "Dogs ride for free."


def test_contradicted_sentences_are_in_no_article(words):
    held = {"The pass is valid for 30 days."}
    answers = {"The pass is valid for 30 days. Dogs ride for free.": 2, "Dogs ride for free. It snows.": 1}
    assert composed(answers, words.vectors, held) == "Dogs ride for free."
    assert composed({"The pass is valid for 30 days.": 2}, words.vectors, held) is None


def test_without_a_shared_sentence_it_is_the_shortest_answer_near_the_rest(words):
    answers = {
        "Bring the skis to the desk in the hall": 1,
        "Bring the skis to the desk in the valley today": 1,
        "Snow": 1,
    }
    assert composed(answers, words.vectors) == "Bring the skis to the desk in the hall"


def test_a_list_is_one_unit_with_the_line_that_announces_it():
    text = "Yes. Do this:\n1. Open it.\n2. Press Save.\nThen wait."
    assert units(text) == ["Yes. Do this:\n1. Open it.\n2. Press Save.", "Then wait."]
