import csv
from collections import defaultdict
from datetime import date, timedelta

import pytest

from llmops_assets.lib.sources import SourceError
from resources.conversations import Conversations
from resources.use_case import UseCaseFiles
from resources.workspace import Settings, SettingsError, Workspace

FIRST, NEW = date(2026, 3, 2), date(2026, 3, 11)
TOPICS = ("a", "b", "c", "new")


def days_of(tmp_path, *, times: bool, **settings) -> dict[date, list[str]]:
    """Day to topics of a file that is sorted by topic, 70 rows each; with times, later rows are earlier."""
    file = tmp_path / "rows.csv"
    with file.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["question", "answer", "intent", *(["time"] if times else [])])
        for number in range(70 * len(TOPICS)):
            topic = TOPICS[number // 70]
            time = [f"2025-01-01T00:{(300 - number) // 60:02d}:{(300 - number) % 60:02d}Z"] if times else []
            writer.writerow([f"question {number}", "answer", topic, *time])
    workspace = Workspace(tmp_path / "home")
    workspace.write_settings(Settings(source=file, **settings))
    found = defaultdict(list)
    conversations = Conversations(workspace)
    for day in conversations.days():
        found[day] = [row.intent for row in conversations.rows(day)]
    return found


@pytest.mark.slow
def test_a_file_sorted_by_topic_does_not_look_like_drift(tmp_path):
    found = days_of(tmp_path, times=False, first_day=FIRST, replay=True)
    assert sorted(found) == [FIRST + timedelta(days=n) for n in range(14)]
    assert all(len(topics) == 20 and len(set(topics)) >= 3 for topics in found.values())
    assert found == days_of(tmp_path, times=False, first_day=FIRST, replay=True)


@pytest.mark.slow
def test_replayed_times_keep_their_order(tmp_path):
    found = days_of(tmp_path, times=True, first_day=FIRST, replay=True)
    assert set(found[FIRST]) == {"new"}, "the last rows are the earliest"
    assert set(found[max(found)]) == {"a"}


@pytest.mark.slow
def test_a_new_topic_begins_on_its_day_and_the_others_go_on(tmp_path):
    settings = {"first_day": FIRST, "replay": True, "new_topic_intent": "new", "new_topic_day": NEW}
    found = days_of(tmp_path, times=False, **settings)
    assert {day for day, topics in found.items() if "new" in topics} == {day for day in found if day >= NEW}
    assert all(set(topics) - {"new"} for topics in found.values())


@pytest.mark.slow
def test_a_new_topic_is_thinned_less_than_the_rest(tmp_path):
    settings = {"first_day": FIRST, "replay": True, "new_topic_intent": "new", "new_topic_day": NEW}
    every = days_of(tmp_path, times=False, **settings)
    some = days_of(tmp_path, times=False, limit=80, **settings)
    arriving = sum(topics.count("new") for topics in every.values())
    assert sum(topics.count("new") for topics in some.values()) == min(10, arriving)
    assert sum(len(topics) - topics.count("new") for topics in some.values()) == 80


def test_articles_come_out_of_documents(tmp_path):
    folder = tmp_path / "faq"
    (folder / "pay").mkdir(parents=True)
    (folder / "shipping.md").write_text("# Shipping\n## How long?\nTwo days.\n")
    (folder / "pay" / "cards.html").write_text("<h2>Which cards?</h2><p>All &amp; more</p>")
    (folder / "more.csv").write_text("id,question,answer,intent\n7,Who?,We.,about\n")
    workspace = Workspace(tmp_path / "home")
    workspace.write_settings(Settings(knowledge=folder))
    assert [
        (a.id, a.intent, a.title, a.answer, a.questions) for a in UseCaseFiles(workspace.settings).articles(FIRST)
    ] == [
        ("7", "about", "Who?", "We.", ("Who?",)),
        ("pay/cards.html#Which cards?", "cards", "Which cards?", "All & more", ("Which cards?",)),
        ("shipping.md#Shipping > How long?", "shipping", "How long?", "Two days.", ("How long?",)),
    ]
    (folder / "again.csv").write_text("id,question,answer\n7,Who else?,Nobody.\n")
    with pytest.raises(SourceError, match=r"more.csv, row 1: there is an article '7' already"):
        UseCaseFiles(workspace.settings).articles(FIRST)
    workspace.write_settings(Settings(knowledge=tmp_path / "home"))
    with pytest.raises(SourceError, match="holds no document"):
        UseCaseFiles(workspace.settings).articles(FIRST)


def test_rows_without_a_time_need_a_first_day(tmp_path):
    with pytest.raises(SourceError, match=r"row 1: has no time.*None of the 280 rows of rows.csv"):
        days_of(tmp_path, times=False)


def test_an_upstream_elsewhere_is_refused_where_the_use_case_keeps_data_on_the_premises():
    away = Settings(upstreams=[{"name": "hosted", "url": "https://8.8.8.8/v1", "models": {"*": "m"}}])
    with pytest.raises(SettingsError, match=r"hosted stands at 8\.8\.8\.8, and the use case says data_must_stay"):
        away.upstreams_for(on_premises=True)
    assert away.upstreams_for(on_premises=False).upstreams == away.upstreams
