"""What a person wrote in a mail, without what stands around it; and HTML as text."""

import csv
import io
import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmops_assets.lib.markup import is_html, is_public, plain, plain_text
from llmops_assets.lib.sources import RawRow, Rejected, Shape, scan
from llmops_assets.lib.sources.mail import (
    DISCLAIMER,
    FOOTER,
    HEADERS,
    LONGEST,
    NOTICE,
    QUOTED,
    SIGNATURE,
    cut,
    written,
)

OWN = "Is the blue one back in stock?"

HISTORY = [
    "On Tue, 3 Mar 2026 at 14:12, Glow Help <help@glow.example> wrote:\n> It is out of stock.\n>\n> Best,\n> Ines",
    "On Tuesday, March 3, 2026 at 2:12 PM Glow Help via\nSupport <help@glow.example>\nwrote:\n\nIt is out of stock.",
    "Am Di., 3. März 2026 um 14:12 Uhr schrieb Glow Hilfe <hilfe@glow.example>:\n> Nicht da.",
    "Am 03.03.2026 um 14:12 schrieb Ines Roth:\nNicht da.",
    "Ines Roth <ines@glow.example> schrieb am Di., 3. März 2026, 14:12:\n\n> Nicht da.",
    "Le mar. 3 mars 2026 à 14:12, Aide Glow <aide@glow.example> a écrit :\n> Épuisé.",
    "Am Dienstag, 3. März 2026, 14:12:00 MEZ hat Glow <hilfe@glow.example> Folgendes geschrieben:\n\nNicht da.",
    "El mar, 3 mar 2026 a las 14:12, Ayuda (<ayuda@glow.example>) escribió:\n> Agotado.",
    "Op di 3 mrt 2026 om 14:12 schreef Glow Hulp <hulp@glow.example>:\n> Uitverkocht.",
    "Il giorno mar 3 mar 2026 alle ore 14:12 Aiuto <aiuto@glow.example> ha scritto:\n> Esaurito.",
    "2026-03-03 14:12 GMT+01:00 Glow Help <help@glow.example>:\n> Out of stock.",
    "Von: Glow Hilfe <hilfe@glow.example>\nGesendet: Di, 3. März 2026\nAn: Mia\nBetreff: AW: Blau\n\nNicht da.",
    "From: Glow Help <help@glow.example>\nSent: March 3, 2026 2:12 PM\nTo: Mia\nSubject: RE: Blue\n\nNot there.",
    "*From:* Glow Help <help@glow.example>\n*Date:* 3 March 2026\n*To:* Mia\n*Subject:* Blue\n\nNot there.",
    "De : Aide Glow\nEnvoyé : mardi 3 mars 2026 14:12\nÀ : Mia\nObjet : RE: Bleu\n\nÉpuisé.",
    "-----Original Message-----\nFrom: Glow Help\nNot there.",
    "-----Ursprüngliche Nachricht-----\nVon: Glow Hilfe\nNicht da.",
    "________________________________\nFrom: Glow Help <help@glow.example>\nSent: Tue\nTo: Mia\nSubject: Blue\n\nNo.",
    "##- Please type your reply above this line -##\n\nIt is out of stock.",
    "> It is out of stock.\n> We order it in June.",
]


@pytest.mark.parametrize("history", HISTORY)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quoted_history_is_cut(history, end):
    found = written(f"{OWN}\n\n{history}".replace("\n", end), mail=True)
    assert found.text == OWN
    assert set(found.cut) == {QUOTED}


@pytest.mark.parametrize(
    "flat",
    [
        f"{OWN} On Tue, 3 Mar 2026 at 14:12, Glow Help <help@glow.example> wrote: > It is out of stock.",
        f"{OWN} Von: Glow Hilfe <hilfe@glow.example> Gesendet: Dienstag An: Mia Betreff: AW: Blau Nicht da.",
        f"{OWN} -----Original Message----- From: Glow Help Not there.",
    ],
)
def test_history_is_cut_where_an_export_made_one_line_of_all(flat):
    assert written(flat).text == OWN


def test_answers_between_quoted_lines_stay():
    text = (
        "Hello Mia,\n\nOn Tue, 3 Mar 2026 at 14:12, Mia <mia@mail.example> wrote:\n> Is it blue?\n\nYes.\n\n"
        "> And large?\n> Very large?\n\nNo, it is 20 cm.\n\nInes"
    )
    assert written(text).text == "Hello Mia,\n\nYes.\n\nNo, it is 20 cm.\n\nInes"


def test_an_answer_below_the_quotation_stays():
    text = "On Tue, 3 Mar 2026 at 14:12, Mia <mia@mail.example> wrote:\n> Is it blue?\n\nYes, it is."
    assert written(text) == written(text, mail=True)
    assert written(text).text == "Yes, it is."


def test_a_mail_that_was_passed_on_keeps_its_text():
    for head in ("---------- Forwarded message ---------\n", ""):
        text = f"{head}From: Mia <mia@mail.example>\nDate: 3 March 2026\nTo: Help\nSubject: Blue\n\n{OWN}"
        found = written(text)
        assert (found.text, set(found.cut)) == (OWN, {HEADERS})


@pytest.mark.parametrize(
    "footer",
    [
        "Sent from my iPhone",
        "Sent from Outlook for Android",
        "Get Outlook for iOS<https://aka.example/o>",
        "Gesendet von meinem Samsung Galaxy",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Outlook für iOS beziehen",
        "Enviado desde mi dispositivo móvil",
        "This email is a service from Glow. Delivered by Zendesk",
        "Sie erhalten diese E-Mail, weil Sie uns geschrieben haben.",
        "Se désabonner",
        "Manage your email preferences",
        "Enviado desde mi iPhone",
        "Verzonden vanaf mijn iPad",
        "Unsubscribe | Privacy",
        "You are receiving this email because you asked us something.",
        "If you no longer wish to receive these emails, tell us.",
        "Please consider the environment before printing this email.",
    ],
)
def test_footers_are_cut(footer):
    assert written(f"{OWN}\n\n{footer}").text == OWN
    assert written(f"{OWN}\n{footer}\n").cut == (FOOTER,)


@pytest.mark.parametrize(
    "disclaimer",
    [
        "This message and its attachments are confidential and meant for the named recipient.",
        "CONFIDENTIALITY NOTICE: this e-mail may hold privileged information.\nDelete it if it is not yours.",
        "Diese E-Mail enthält vertrauliche Informationen.\nSind Sie nicht der richtige Adressat, löschen Sie sie.",
        "Please note that this email and any files with it are strictly confidential.",
        "NOTICE: This message is intended only for the person it is addressed to.",
        "Ce message est confidentiel et destiné à son seul destinataire.",
        "Este mensaje es confidencial y se dirige a su destinatario.",
        "If you have received this email in error, please tell the sender and delete it. It is confidential.",
    ],
)
def test_disclaimers_are_cut_to_the_end_of_their_paragraph(disclaimer):
    found = written(f"{OWN}\n\nMia\n{disclaimer}\n\nGlow Ltd")
    assert (found.text, found.cut) == (f"{OWN}\n\nMia\n\nGlow Ltd", (DISCLAIMER,))


def test_a_question_about_confidentiality_is_a_question():
    asked = "Is this message and its attachments confidential, or may I show it to my landlord?"
    found = written(f"{OWN}\n\n{asked}\n\nMia")
    assert asked in found.text
    assert DISCLAIMER not in found.cut


@pytest.mark.parametrize(
    "notice",
    [
        "Your request (31) has been received and is in our queue. Reply to this email to add something.",
        "Hello Mia,\n\nYour ticket #A-31 was updated. Here is what we know.",
        'Request #30 "Blue" was closed and merged into this request. Last comment in request #30:\n\nis it blue?',
        "Ticket 30 has been merged with ticket 31.",
        "Ihre Anfrage (31) ist bei uns eingegangen und wird bearbeitet.",
        "Votre demande (31) a bien été reçue.",
        "Su solicitud (31) ha sido recibida.",
        "Uw verzoek (31) is ontvangen.",
        "This ticket is closed and merged into ticket 31.",
        "You are registered as a CC on this support request (31).",
        "I am on annual leave until 9 March. I will respond when I am back.",
        "We couldn't deliver your message to mia@mail.example.",
        "How was your support experience?",
        "Automatic reply: Blue one\n\nI am back on Monday.",
        "Hi, I am out of the office until 9 March. Write to ines@glow.example.",
        "Vielen Dank für Ihre Nachricht. Ich bin derzeit nicht im Büro und lese keine Mails.",
        "This is an automated message. A colleague will write to you.",
        "Delivery has failed to these recipients or groups:\nmia@mail.example",
        "Undeliverable: Blue one",
        "How would you rate the support you received?\n\nGood, I am satisfied\nBad",
        "##- Please type your reply above this line -##\n\nYour request (31) has been deemed solved.",
    ],
)
def test_a_notice_that_nobody_wrote_is_cut_as_a_whole_and_said(notice):
    found = written(notice)
    assert found.text == ""
    assert NOTICE in found.cut


OWN_WORDS = [
    "Is my email confidential, and who is the intended recipient?",
    "unsubscribe",
    "To unsubscribe, open your profile and choose Newsletter.",
    "I am out of the office until Friday, can you deliver on Monday?",
    "I am on holiday until Friday, please deliver when I am back.",
    "Ich bin im Urlaub, bitte liefert erst am Montag.",
    "abmelden",
    "My parcel could not be delivered, what now?",
    "On Monday you wrote: we send it again. When?",
    "As you wrote at 10:05:\nwe will see",
    "From: Berlin\nTo: Hamburg\nDate: 3 May\nTwo adults",
    "> 5 kg?",
    "My request was closed, why?",
    "Has ticket 31 been closed?",
    "Your refund is on its way: three days.",
    "a < b and c > d",
    "Where is <my-order>?",
    "is 3 < 4 & <b>?",
    "Write `<b>bold</b>` for bold",
    "Tips:\n> press the button\nThen wait",
    "Name: Mia\nSubject: blue lamp\nMessage: where is it",
    "----------\nOption A\n----------\nOption B",
    "We wrote to you on 3 March 2026 and asked:\nwhich colour",
]


@pytest.mark.parametrize("text", OWN_WORDS)
def test_a_persons_own_words_stay_as_they_are(text):
    assert written(text, customer=True).text == text
    assert written(text, customer=True).cut == ()


def test_a_customers_signature_below_two_hyphens_is_cut_an_agents_stays():
    text = f"{OWN}\n\n-- \nMia Berg\nHead of Lamps\n+49 30 555"
    assert written(text, customer=True) == written(f"{OWN}\n-- \nMia", customer=True)
    assert written(text, customer=True).cut == (SIGNATURE,)
    assert written(text).text == text


def test_html_of_a_mail_keeps_the_answer_between_quotations():
    text = (
        '<div>Yes.</div><div class="gmail_quote"><div class="gmail_attr">On Tue someone wrote:<br></div>'
        '<blockquote class="gmail_quote">is it blue</blockquote><div>And it is large.</div>'
        "<blockquote>and large</blockquote></div>"
    )
    assert written(text) == written(text, html=True)
    assert (written(text).text, written(text).cut) == ("Yes.\nAnd it is large.", (QUOTED,))


@pytest.mark.parametrize(
    "quoted",
    [
        "<blockquote>old</blockquote>",
        '<div class="gmail_quote">old</div>',
        '<div class="yahoo_quoted" id="y"><div>old</div></div>',
        '<div id="divRplyFwdMsg"><b>From:</b> Glow</div><div>old</div>',
        '<div id="appendonsend"></div><hr><div>old</div>',
        '<div class="moz-cite-prefix">On 3 March Glow wrote:</div><blockquote type="cite">old</blockquote>',
    ],
)
def test_quoted_mails_in_html_are_dropped_and_said(quoted):
    found = written(f"<p>Yes, it is.</p>{quoted}")
    assert (found.text, found.cut) == ("Yes, it is.", (QUOTED,))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two<br>Three</p>", "One\n\nTwo\nThree"),
        ("Hello<br/>you", "Hello\nyou"),
        ("<ul><li>a</li><li>b <b>c</b></li></ul>", "- a\n- b c"),
        ("<ol><li>a<li>b</ol><p>c", "1. a\n2. b\n\nc"),
        ("<table><tr><td>Size</td><td>20 cm</td></tr></table>", "Size 20 cm"),
        ('<p>See <a href="https://glow.example/r">returns</a>.</p>', "See returns (https://glow.example/r)."),
        ('<a href="https://www.glow.example/">glow.example</a>', "glow.example"),
        ('<a href="mailto:help@glow.example">write</a>', "write"),
        ('<a href="http://localhost:80/x">here</a>', "here"),
        ('<a href="https://glow.example/agent/tickets/3">ticket</a>', "ticket"),
        ('<a href="https://mia:pw@glow.example/">mine</a>', "mine"),
        ("<p>A</p><script>x()</script><style>p{}</style><p>B</p>", "A\n\nB"),
        ('<div style="display:none">preview</div><p>A</p><img src="https://t.example/1.gif" width="1">', "A"),
        ("<p>5 &lt; 6 &amp; 7&nbsp;kg</p>", "5 < 6 & 7 kg"),
        ("<html><head><title>t</title></head><body><p>A</p></body></html>", "A"),
        ("line one\nline <b>two</b>", "line one\nline two"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("<blockquote><p>x</blockquote>y<br>", "y"),
    ],
)
def test_html_becomes_what_a_person_reads(html, text):
    assert is_html(html)
    assert plain(html).text == text


def test_a_link_is_public_on_the_internet_only():
    assert is_public("https://glow.example/a?b=c")
    for url in (
        "ftp://glow.example",
        "https://wiki/x",
        "http://10.0.0.1/",
        "https://x.internal/",
        "javascript:x",
        "http://[x",
    ):
        assert not is_public(url)


def test_character_references_are_resolved_in_html_and_mail_and_stay_elsewhere():
    assert plain_text("it&#39;s 5 &gt; 4 &unknownthing;") == "it's 5 > 4 &unknownthing;"
    assert written("it&#39;s", mail=True).text == "it's"
    assert written("it&#39;s").text == "it&#39;s"


# -- rows of a table ----------------------------------------------------------------------------------------------


def table(*pairs: tuple[str, str]) -> list[RawRow | Rejected]:
    target = io.StringIO()
    csv.writer(target).writerows([("question", "answer"), *pairs])
    return list(scan(io.BytesIO(target.getvalue().encode()), "a.csv", Shape()))


def test_columns_with_mail_and_html_are_cleaned_and_counted():
    answer = "<p>Yes, in <a href='https://glow.example/b'>blue</a>.</p><blockquote>old</blockquote>"
    (row,) = table((f"{OWN}\n\n{HISTORY[0]}\n\n-- \nMia", answer))
    assert (row.question, row.answer) == (OWN, "Yes, in blue (https://glow.example/b).")
    assert row.left_out == ((QUOTED, 1), (SIGNATURE, 1), (QUOTED, 1))


def test_a_row_that_is_a_notice_is_rejected_with_what_it_is():
    (found, row) = table((OWN, "Your request (31) has been received."), (OWN, "Yes."))
    assert found.place == "a.csv, row 1 (line 2), column answer"
    assert (found.reason, found.left_out) == ("holds nothing but automatic notice", ((NOTICE, 1),))
    assert row.answer == "Yes."


def test_html_longer_than_a_text_may_be_is_judged_by_what_it_says():
    padded = f"<p>Yes.</p><style>{'x' * 30_000}</style>"
    assert table((OWN, padded))[0].answer == "Yes."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "# Which bulb?\n\n> Mind the heat.\n> It is hot.\n\nAn E27 bulb.\n\n> Ask first.\n> Always."),
        ("a.html", "<h1>Which bulb?</h1><blockquote>Mind the heat.</blockquote><p>An E27 bulb.</p>"),
    ],
)
def test_published_texts_keep_their_quotations(name, text):
    (row,) = scan(io.BytesIO(text.encode()), name, Shape())
    assert "Mind the heat." in row.answer
    assert row.left_out == ()


def test_markdown_of_a_training_conversation_stays_as_it_is():
    answer = "Look:\n\n> one\n\n```html\n<div>x</div>\n```\n\n- a\n- b"
    chat = {"messages": [{"role": "user", "content": "How?"}, {"role": "assistant", "content": answer}]}
    (row,) = scan(io.BytesIO(json.dumps(chat).encode()), "a.json", Shape())
    assert row.answer == answer


# -- properties ---------------------------------------------------------------------------------------------------

PIECES = [
    *(line for history in HISTORY for line in history.split("\n")),
    *OWN_WORDS,
    OWN,
    "",
    "> quoted",
    "> >",
    "--",
    "-- ",
    "Sent from my iPhone",
    "This email is confidential.",
    "Your request (1) has been received.",
    "Hello,",
    "wrote:",
    "On 3 May 2026",
    "From: a@b.example",
    "Subject: x",
    "________________________________",
]


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=10).map("\n".join), st.booleans(), st.booleans())
@example("On 3 May 2026\n> quoted\nwrote:", False, False)
@example("Sent from my iPhone\n> one line\n> two lines\n\n\nSent from my iPhone\n> one line", False, False)
def test_cutting_again_cuts_nothing(text, mail, customer):
    once = cut(text, mail=mail, customer=customer)
    assert cut(once.text, mail=mail, customer=customer).text == once.text
    assert bool(once.cut) or once.text == text


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=10).map("\n".join))
def test_every_line_that_stays_was_there(text):
    lines = {line.strip() for line in text.split("\n")}
    for line in cut(text, mail=True).text.split("\n"):
        assert any(line.strip() in own for own in lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "On 3 May 2026 ",
        "On 3 May 2026 x\n",
        "> a\n",
        "From: a@b.example\n",
        "From: ",
        "wrote ",
        "On 1 wrote ",
        "this message is\n",
        "this message is confidential ",
        "<b>",
        "<blockquote>",
        "<a href='https://x.example'>y",
        "<p>x",
        "<div class='gmail_quote'>",
        "</b>",
        "_",
        "-",
        "-----Original Message",
        "request 1 ",
        "unsubscribe ",
        "&amp;",
        "` <",
    ],
)
def test_time_grows_with_the_text(piece):
    """Five times the text takes far less than the 25 times of a quadratic search."""

    def seconds(size: int) -> float:
        text = (piece * size)[: 1000 * size // 1000 * len(piece)]
        began = time.process_time()
        written(text, mail=True, customer=True)
        return time.process_time() - began

    small = max(min(seconds(1000) for _ in range(3)), 0.001)
    assert min(seconds(5000) for _ in range(2)) < 12 * small


def test_a_text_beyond_all_measure_is_not_searched():
    text = "<p>" + "x" * LONGEST
    assert written(text).text is text
