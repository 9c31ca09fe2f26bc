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


def test_of_two_ways_to_tell_a_procedure_an_article_tells_one(words):
    desk = "1. Carry the skis to the desk.\n2. Hand the skis in."
    hall = "1. Take skis to desk in the hall.\n2. Hand skis in there."
    answers = {
        f"{desk}\nDogs ride for free.": 3,
        f"{desk}\nIt snows.": 1,
        f"{desk}\nMind the step.": 1,
        f"{hall}\nDogs ride for free.": 1,
        f"{hall}\nThe weather is fine.": 1,
    }
    article = composed(answers, words.vectors)
    assert article == f"{desk}\nDogs ride for free."


def test_what_half_of_the_answers_say_stands_in_the_article_though_its_main_answer_lacks_it(words):
    answers = {
        "Hand the skis in at the desk. The deposit comes back at once.": 1,
        "Hand the skis in at the desk. The deposit comes back at once. It snows.": 1,
        "The deposit comes back at once. Dogs ride for free.": 1,
        "Dogs ride for free. Mind the step.": 1,
    }
    article = composed(answers, words.vectors)
    assert "Dogs ride for free." in article
