import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from llmops_assets.gateway.interaction_log import ADDED, AUDIT, AUDIT_ADDED, GENESIS, INTERACTIONS, InteractionLog
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Feedback, Interaction

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)


@pytest.fixture
def log(database):
    made = InteractionLog(database)
    yield made
    made.close()


def interaction(name: str, moment: datetime = NOON) -> Interaction:
    return Interaction(
        id=name,
        time=moment,
        release_id="r-1",
        subject="s-1",
        conversation="c-1",
        question="q",
        answer="a",
        path="generated",
        latency_seconds=0.5,
    )


def test_a_window_holds_its_start_and_not_its_end_in_order_of_time(log):
    for name, minutes in (("late", 59), ("start", 0), ("end", 60), ("before", -1)):
        log.append(interaction(name, NOON + timedelta(minutes=minutes)))
    rows = log.interactions(NOON, NOON + timedelta(hours=1))
    assert [row["id"] for row in rows] == ["start", "late"]


def test_the_latest_feedback_counts_and_unknown_interactions_have_none(log):
    log.append(interaction("one"))
    assert log.add_feedback(Feedback(interaction="one", time=NOON, rating=-1, correction="first"))
    assert log.add_feedback(Feedback(interaction="one", time=NOON, rating=1, correction="second"))
    assert not log.add_feedback(Feedback(interaction="two", time=NOON, rating=1))
    (row,) = log.interactions(NOON, NOON + timedelta(hours=1))
    assert (row["rating"], row["correction"]) == (1, "second")


def test_feedback_of_what_was_erased_and_of_a_wrong_clock_is_counted(log):
    for name in ("one", "two"):
        log.append(interaction(name))
    assert log.add_feedback(Feedback(interaction="one", time=NOON - timedelta(minutes=5), rating=-1))
    assert log.add_feedback(Feedback(interaction="two", time=NOON + timedelta(minutes=5), rating=1))
    with sa.create_engine(log.url).begin() as connection:
        connection.execute(sa.delete(INTERACTIONS).where(INTERACTIONS.c.id == "two"))
    day = NOON - timedelta(hours=12), NOON + timedelta(hours=12)
    assert log.odd_feedback(*day) == {"feedback_of_unknown_interactions": 1, "feedback_dated_before_its_answer": 1}
    assert [row["id"] for row in log.interactions(*day)] == ["one"]
    assert set(log.odd_feedback(NOON, NOON).values()) == {0}


def test_an_id_is_stored_once_and_times_need_a_zone(log):
    log.append(interaction("one"))
    with pytest.raises(sa.exc.IntegrityError):
        log.append(interaction("one"))
    with pytest.raises(ValueError, match="no time zone"):
        log.append(interaction("two", datetime(2026, 3, 11)))


def test_writers_in_threads_lose_nothing(log):
    def write(writer: int) -> None:
        for n in range(25):
            log.append(interaction(f"{writer}-{n}"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.interactions(NOON, NOON + timedelta(seconds=1))) == 100


@pytest.mark.parametrize("tamper", ["change", "remove", "none"])
def test_the_audit_chain_finds_a_changed_or_removed_entry(log, database, tamper):
    for n in range(5):
        log.audit("deploy", f"release {n}")
    other = sa.create_engine(database)
    with other.begin() as connection:
        if tamper == "change":
            connection.execute(sa.update(AUDIT).where(AUDIT.c.number == 3).values(detail="release 9"))
        elif tamper == "remove":
            connection.execute(sa.delete(AUDIT).where(AUDIT.c.number == 2))
    other.dispose()
    assert log.broken_audit_entry() == {"change": 3, "remove": 3, "none": None}[tamper]


def test_a_log_of_an_earlier_version_is_taken_over(database):
    before = [column for column in INTERACTIONS.columns if column.name not in ADDED]
    old = sa.Table(
        "interactions", sa.MetaData(), *(sa.Column(c.name, c.type, primary_key=c.primary_key) for c in before)
    )
    engine = sa.create_engine(database)
    old.metadata.create_all(engine)
    known = interaction("a").model_dump(exclude=set(ADDED))
    row = {**known, "time": "2026-03-02T08:00:00.000000+00:00", "input_tokens": 1, "output_tokens": 2}
    with engine.begin() as connection:
        connection.execute(sa.insert(old).values(row))
    engine.dispose()
    for _ in range(2):
        log = InteractionLog(database)
        [found] = log.find("a")
        assert (found.turn, found.caller, found.owner, found.cached_seconds) == (0, "", "", None)
        assert found.guards == ""
        log.close()
    log = InteractionLog(database)
    log.append(found.model_copy(update={"id": "b", "turn": 3, "caller": "k", "owner": "shop", "guards": "x:y:z"}))
    assert (log.find("b")[0].turn, log.find("b")[0].guards) == (3, "x:y:z")
    assert log.tokens_of("k", date(2026, 3, 2)) == 3
    log.close()


def test_an_audit_log_of_an_earlier_version_holds_and_goes_on(database):
    before = [column for column in AUDIT.columns if column.name not in AUDIT_ADDED]
    old = sa.Table("audit", sa.MetaData(), *(sa.Column(c.name, c.type, primary_key=c.primary_key) for c in before))
    engine = sa.create_engine(database)
    old.metadata.create_all(engine)
    entry = {"number": 1, "time": "2026-03-02", "action": "act", "detail": "one", "previous": GENESIS}
    with engine.begin() as connection:
        connection.execute(sa.insert(old).values({**entry, "hash": hash_json(entry)}))
    engine.dispose()
    log = InteractionLog(database)
    log.audit("act", "two")
    log.audit("act", "three", subject="s")
    assert [entry["detail"] for entry in log.audit_entries()] == ["one", "two", "three"]
    assert log.broken_audit_entry() is None
    log.close()


def test_what_is_said_of_a_person_is_gone_with_the_persons_key_and_the_chain_holds(database):
    log = InteractionLog(database)
    for subject in ("anna", "bert", "anna", ""):
        log.audit("seen", f"of {subject}", subject=subject)
    assert [entry["detail"] for entry in log.audit_entries()] == ["of anna", "of bert", "of anna", "of "]
    stored = log.audit_entries(sealed=True)
    assert "of anna" not in str(stored)
    assert stored[0]["sealed"] == stored[2]["sealed"] != stored[1]["sealed"]
    assert "anna" not in stored[0]["sealed"]
    assert log.erase(["anna"], "Ada")["audit_keys"] == 1
    assert [entry["detail"] for entry in log.audit_entries()][:4] == ["erased", "of bert", "erased", "of "]
    assert log.audit_entries(sealed=True)[:4] == stored[:4]
    assert log.broken_audit_entry() is None
    # Who comes again is another person to the log.
    log.audit("seen", "again", subject="anna")
    assert log.audit_entries()[-1]["detail"] == "again"
    assert log.audit_entries(sealed=True)[-1]["sealed"] != stored[0]["sealed"]
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        # The words of one person under the key of another prove nothing, and the chain is broken.
        connection.execute(sa.update(AUDIT).where(AUDIT.c.number == 2).values(sealed=stored[0]["sealed"]))
    engine.dispose()
    assert (log.audit_entries()[1]["detail"], log.broken_audit_entry()) == ("erased", 2)
    log.close()


def test_an_erased_person_is_in_no_table(database):
    log = InteractionLog(database)
    for name, subject in (("a", "anna"), ("b", "bert")):
        log.append(interaction(name).model_copy(update={"subject": subject}))
        log.add_feedback(Feedback(interaction=name, time=NOON, rating=1))
    gone = log.erase(["anna", "an older pseudonym"], "Ada")
    assert (gone["interactions"], gone["feedback"]) == (1, 1)
    assert [row["id"] for row in log.interactions(NOON, NOON + timedelta(days=1))] == ["b"]
    assert log.odd_feedback(NOON, NOON + timedelta(days=1))["feedback_of_unknown_interactions"] == 0
    assert "anna" not in str(log.audit_entries())
    log.close()


def test_several_processes_append_to_one_chain(database):
    logs = [InteractionLog(database) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for log in logs:
            for number in range(10):
                pool.submit(log.audit, "act", str(number))
    assert len(logs[0].audit_entries()) == 40
    assert logs[0].broken_audit_entry() is None
    for log in logs:
        log.close()
