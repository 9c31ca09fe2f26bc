"""Who reads what a conversation is written in, and what becomes of what nobody reads."""

from datetime import date

import pytest

from llmops_assets.lib.auditing.conversations import redacted
from llmops_assets.lib.auditing.coverage import written
from llmops_assets.lib.redaction import Redactor
from llmops_assets.lib.sources import RawRow

DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["Where is the lamp?", "It is on its way."], "Latin, en, read by model"),
        (["Wo ist die Lampe?"], "Latin, de, read by rules"),
        (["Где мой заказ?", "It is on its way."], "Cyrillic, ru, read by cues"),
        (["ལྷ་ས་གཞོན་ནུ"], "other, ?, read by nothing"),
        (
            ["Lampan fungerar inte alls och jag vill gärna få tillbaka alla mina pengar så snart som möjligt"],
            "Latin, sv, read by nothing",
        ),
        (["48213"], "no letters"),
        (["ok"], "Latin, en, read by model"),
    ],
)
def test_a_conversation_is_written_in_what_is_hardest_to_read(texts, name):
    assert written(texts).name == name


def row(question: str) -> RawRow:
    return RawRow(1, question[:5], question, "It comes.", "", None, "", "test", 0, "", conversation=question[:5])


def test_what_nothing_reads_is_put_aside_without_text_or_kept_where_that_is_wanted():
    rows, redactor = [row("Where is the lamp?"), row("Где лампа, 4821377?")], Redactor(key=b"k" * 32, names=False)
    (english, russian) = redacted(rows, DAY, redactor)
    assert (len(english.kept), english.quarantined) == (1, [])
    assert russian.kept == []
    (aside,) = russian.quarantined
    assert aside["reason"] == "written in Cyrillic (ru): names in it are not found for certain"
    assert aside["text"] == ""
    (_, kept) = redacted(rows, DAY, redactor, unread="keep")
    assert [one["question"] for one in kept.kept] == ["Где лампа, <ID_NUMBER_1>?"]
    assert russian.written == kept.written
