"""The sample's ticket export: what it must hold so that reading it proves something."""

import json

from llmops_assets.samples import tickets


def test_the_export_is_the_same_each_time_and_holds_every_kind_of_noise(tmp_path):
    first, second = (tickets.write_export(tmp_path / name / "tickets.jsonl", 300) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    found = [json.loads(line) for line in first.read_text().splitlines()]
    assert len({ticket["id"] for ticket in found}) == 300
    assert [ticket["created_at"] for ticket in found] == sorted(ticket["created_at"] for ticket in found)
    comments = [comment for ticket in found for comment in ticket["comments"]]
    assert sum(not comment["public"] for comment in comments) > 30
    assert sum("body" not in comment for comment in comments) > 100
    assert any(comment["author_id"] == -1 for comment in comments)
    assert any("{{ticket.requester.first_name}}" in comment["html_body"] for comment in comments)
    assert sum("wrote:" in comment["html_body"] for comment in comments) > 50
    by_agent_first = [ticket for ticket in found if ticket["comments"][0]["author_id"] != ticket["requester_id"]]
    assert by_agent_first, "telephone tickets begin with an agent's private comment"
    assert not any(ticket["comments"][0]["public"] for ticket in by_agent_first)
    personal = [ticket for ticket in found if ticket["topic"] in ("order_status", "refund_status")]
    assert 0.1 < len(personal) / len(found) < 0.4


def test_people_ask_about_their_own_cases_with_every_slot_filled():
    asked = tickets.personal_questions(80)
    assert {topic for topic, _ in asked} == set(tickets.load_tickets().personal)
    assert not any("{" in question for _, question in asked)
    assert len({question for _, question in asked}) > 30
