"""The digest of a week on page and in a mail: the same figures, the same bytes, and nothing to read into no figures."""

from datetime import date, timedelta
from email import message_from_bytes, policy

from support import drift_report

from llmops_assets.lib.records import Kpi, KpiReport
from llmops_assets.lib.watching import digest, kpis

MONDAY = date(2026, 3, 9)
TARGETS = [
    Kpi(name="handover_share", description="answers that hand over to a person", direction="at_most", target=0.1),
    Kpi(name="positive_rating_share", description="", direction="at_least", target=0.5),
]


def reports(days: int = 10, handed_over: int = 3) -> list[KpiReport]:
    """Days from the week before on, each with ten answers."""
    found: list[KpiReport] = []
    for n in range(days):
        rows = [
            {
                "release_id": "r-2" if n > 8 else "r-1",
                "path": "handover" if k < handed_over else "matched",
                "rating": 1 if k == 9 else -1 if k == 0 else 0,
                "latency_seconds": 0.5 + k,
                "status": 200,
                "input_tokens": 0,
                "output_tokens": 0,
            }
            for k in range(10)
        ]
        rows[2]["rating"] = n % 2
        day = MONDAY - timedelta(days=7) + timedelta(days=n)
        measured = kpis.measure(day, rows, TARGETS, accuracy=None, leaks=None, cost_per_answer=None)
        found.append(kpis.judged(measured, found))
    return found


def week(**more) -> digest.Week:
    given = {"kpis": reports(), "descriptions": {k.name: k.description for k in TARGETS}, **more}
    return digest.Week(assistant="lumora-support", monday=MONDAY, **given)


def test_the_owner_reads_first_what_asks_for_somebody():
    drift = [drift_report(MONDAY, [True, True]), drift_report(MONDAY + timedelta(days=1), [False])]
    assert digest.headlines(week(drift=drift, feedback={"held_back": 4})) == [
        "3 of 7 days were monitored.",
        "30 questions were asked.",
        "Answers that hand over to a person: target missed since 2026-03-02.",
        "Customers asked for something new on 2026-03-09.",
        "4 pieces of feedback wait for a person: llmops feedback export.",
    ]
    assert "No KPI is in alarm." in digest.headlines(week(kpis=reports(handed_over=1)))


def test_this_week_stands_beside_the_week_before_and_releases_beside_each_other():
    _, rows = digest.table(week())
    assert rows[0] == ["Answers that hand over to a person", "0.3", "0.3", "+0", "0.1", "alarm since 2026-03-02"]
    assert rows[1][0] == "Positive rating share"
    _, answered = digest.releases(week())
    assert [row[:4] for row in answered] == [["r-1", "2", "20", "9.05"], ["r-2", "1", "10", "9.05"]]
    assert answered[0][5].startswith("0.60 (")


def test_the_mail_holds_text_and_page_and_is_the_same_for_the_same_week():
    mail = digest.mail(week(), "llmops@shop.example", "owner@shop.example")
    assert mail.as_bytes() == digest.mail(week(), "llmops@shop.example", "owner@shop.example").as_bytes()
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert (read["Subject"], read["To"]) == ("lumora-support: week of 2026-03-09", "owner@shop.example")
    assert read["Date"] == "Mon, 16 Mar 2026 07:00:00 +0000"
    assert read["Message-ID"].endswith("@shop.example>")
    plain, page = (read.get_body((kind,)).get_content() for kind in ("plain", "html"))
    for told in ("30 questions were asked.", "alarm since 2026-03-02", "r-2"):
        assert told in plain
        assert told in page
    assert "<img" not in page, "mail programs show no data URIs"
    assert digest.page(week()).count("<img") == 1, "what has not moved is not drawn"
    assert max(map(len, mail.as_bytes().split(b"\r\n"))) <= 998


def test_names_are_escaped_on_the_page():
    assert "<script>" not in digest.page(digest.Week("<script>", MONDAY, reports()))


def test_a_week_without_days_says_what_to_do():
    empty = week(kpis=[])
    assert digest.headlines(empty) == [
        "No day of this week was monitored: switch on the schedule monitor_nightly, or run monitor_day."
    ]
    assert digest.table(empty)[1] == digest.releases(empty)[1] == []
    assert "No day of this week" in digest.mail(empty, "a@b.example", "c@b.example").as_string()
    assert empty.alarms == ()


def test_a_day_on_which_nobody_asked_is_told():
    measured = kpis.measure(MONDAY, [], TARGETS, accuracy=None, leaks=None, cost_per_answer=None)
    alone = week(kpis=[kpis.judged(measured, [])])
    assert "Nobody asked anything." in digest.headlines(alone)
    assert digest.table(alone)[1][0][1:] == ["-", "-", "-", "0.1", "unmeasured"]
