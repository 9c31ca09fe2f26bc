"""Writing systems and languages that texts come in, which of them a model here reads, and names behind cues in others.

The English model and the word lists know the Latin alphabet. In other scripts only numbers, addresses on a network and
names behind the commonest introductions and closings are found: a text in them is said at ingestion, and kept aside
unless an installation decides otherwise. Script names: Unicode Standard Annex 24 (https://www.unicode.org/reports/tr24/).
"""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Collection

from llmops_assets.lib.redaction.spans import PLACEHOLDER, Folded, Span

CUED = 0.9
FOREIGN_SHARE = 0.3
"""Share of letters of another script from which on a text counts as written in it: a name or a word of it is less."""
_NAMES = {
    "LATIN": "Latin", "GREEK": "Greek", "CYRILLIC": "Cyrillic", "ARMENIAN": "Armenian", "HEBREW": "Hebrew",
    "ARABIC": "Arabic", "DEVANAGARI": "Devanagari", "BENGALI": "Bengali", "GURMUKHI": "Gurmukhi",
    "GUJARATI": "Gujarati",
    "TAMIL": "Tamil", "TELUGU": "Telugu", "KANNADA": "Kannada", "MALAYALAM": "Malayalam", "SINHALA": "Sinhala",
    "THAI": "Thai", "LAO": "Lao", "KHMER": "Khmer", "MYANMAR": "Myanmar", "GEORGIAN": "Georgian",
    "ETHIOPIC": "Ethiopic",
    "CJK": "Han", "HIRAGANA": "Kana", "KATAKANA": "Kana", "HANGUL": "Hangul", "BOPOMOFO": "Han",
}  # fmt: skip
"""First word of a character's Unicode name -> script; what is not here is "other"."""
LANGUAGES = {
    "Greek": "el", "Cyrillic": "ru", "Armenian": "hy", "Hebrew": "he", "Arabic": "ar", "Devanagari": "hi",
    "Bengali": "bn",
    "Tamil": "ta", "Thai": "th", "Georgian": "ka", "Han": "zh", "Kana": "ja", "Hangul": "ko",
}  # fmt: skip
"""Script -> the language whose model would read it."""


@functools.lru_cache(maxsize=8_192)
def _script(character: str) -> str:
    first = unicodedata.name(character, "").split(" ")[0].split("-")[0]
    return _NAMES.get(first, "other")


def script_of(text: str) -> str:
    """The script of a text: another than Latin from `FOREIGN_SHARE` of its letters on, "" without letters."""
    if text.isascii():
        return "Latin" if re.search(r"[A-Za-z]", text) else ""
    counts = Counter(_script(c) for c in PLACEHOLDER.sub("", text) if c.isalpha())
    if not counts:
        return ""
    foreign = counts.total() - counts["Latin"]
    if foreign < FOREIGN_SHARE * counts.total():
        return "Latin"
    # Japanese is written in Han and Kana: a few Kana tell it from Chinese.
    if counts["Kana"] and counts["Kana"] >= 0.1 * counts["Han"]:
        return "Kana"
    return max((name for name in counts if name != "Latin"), key=lambda name: (counts[name], name))


def has_cues(script: str) -> bool:
    """Whether names behind cues are found in a script."""
    return script in _CUES


def unread(text: str, read: Collection[str]) -> str:
    """The script of a text that no model of the languages `read` reads; "" for one that is."""
    script = script_of(text)
    return "" if script in ("", "Latin") or LANGUAGES.get(script) in read else script


_LETTER = r"[^\W\d_]"
_CYRILLIC, _GREEK = r"[А-ЯЁІЇЄҐ][а-яёіїєґ'-]+", r"[Α-ΩΆΈΉΊΌΎΏ][α-ωάέήίόύώϊϋΐΰς]+"
_ARABIC_WORD, _HEBREW_WORD, _DEVANAGARI_WORD = (
    r"[\u0621-\u064a\u066e-\u06d3]+",
    r"[\u05d0-\u05ea'\"]+",
    r"[\u0900-\u0963]+",
)
_CUES: dict[str, tuple[re.Pattern[str], ...]] = {
    "Cyrillic": (
        re.compile(
            rf"(?i:меня зовут|мо[её] имя|мо[єе] ім['’]я|мене звати|я -|это|на имя|звать меня|фамилия|имя)[: ]{{1,3}}"
            rf"(?P<value>{_CYRILLIC}(?: {_CYRILLIC}){{0,2}})"
        ),
        re.compile(
            rf"(?i:с уважением|з повагою|всего доброго|спасибо|с наилучшими(?: пожеланиями)?|поздрави"
            rf"|с уважение)[,.! \n]{{1,4}}"
            rf"(?P<value>{_CYRILLIC}(?: {_CYRILLIC}){{0,2}})"
        ),
        re.compile(
            rf"(?i:здравствуйте|добрый день|привет|уважаем(?:ый|ая)|вітаю|добрий день|здравейте|господин"
            rf"|госпожа)[, ]{{1,3}}"
            rf"(?P<value>{_CYRILLIC}(?: {_CYRILLIC}){{0,2}})(?=[,!. ])"
        ),
        re.compile(rf"(?i:меня зовут|мене звати)\s+(?P<value>{_LETTER}+(?: {_LETTER}+)?)(?=[,.!\n]|$)"),
    ),
    "Greek": (
        re.compile(
            rf"(?i:με λένε|ονομάζομαι|το όνομά μου είναι|είμαι (?:ο|η)|λέγομαι|στο όνομα)[: ]{{1,3}}"
            rf"(?P<value>{_GREEK}(?: {_GREEK}){{0,2}})"
        ),
        re.compile(
            rf"(?i:με εκτίμηση|ευχαριστώ(?: πολύ)?|χαιρετισμούς|φιλικά)"
            rf"[,.! \n]{{1,4}}(?P<value>{_GREEK}(?: {_GREEK}){{0,2}})"
        ),
        re.compile(rf"(?i:κύριε|κυρία|αγαπητ(?:έ|ή)|κ\.)\s+(?P<value>{_GREEK}(?: {_GREEK})?)"),
    ),
    "Han": (
        re.compile(
            r"(?:我叫|我的名字(?:是|叫)|我是|姓名[:：是]? ?|名叫|联系人[:：]? ?"
            r"|聯絡人[:：]? ?|收件人[:：是]? ?|我姓)(?:做)? ?"
            r"(?P<value>[\u4e00-\u9fff]{2,4}(?=[,，。.!！、;；\s我的]|$)|[\u4e00-\u9fff·]{2,3})"
        ),
        re.compile(r"(?P<value>[\u4e00-\u9fff]{1,3})(?=先生|女士|小姐|老师)"),
    ),
    "Kana": (
        re.compile(
            r"(?:私の名前は|名前は|氏名[は:：]|わたしは|私は|お名前[:：])"
            r"(?P<value>[\u4e00-\u9fff\u30a0-\u30ff々]{2,8}(?:[ 　][\u4e00-\u9fff\u30a0-\u30ff々]{1,6})?)"
            r"(?=です|と申|といい|と言|だ|。|、|$|\s)"
        ),
        re.compile(r"(?P<value>[\u4e00-\u9fff\u30a0-\u30ff々]{2,8}(?:[ 　][\u4e00-\u9fff\u30a0-\u30ff々]{1,6})?)"
                   r"(?=と申します|といいます|と言います)"),
        re.compile(r"(?P<value>[\u4e00-\u9fff\u30a0-\u30ff々]{2,6})(?=さん|様(?!子|々))"),
    ),
    "Hangul": (
        re.compile(
            r"(?:제 이름은|저는|이름은|성함은) ?(?P<value>[\uac00-\ud7a3]{2,4}?)"
            r"(?=입니다|이에요|예요|이라고|라고)"
        ),
        re.compile(r"(?P<value>[\uac00-\ud7a3]{2,4}) ?(?=님|씨)"),
    ),
    "Arabic": (
        re.compile(rf"(?:اسمي|إسمي|أنا اسمي|معك|باسم|الاسم[: ])\s*(?P<value>{_ARABIC_WORD}(?: (?!و|أ|ال(?:طلب"
                   rf"|فاتورة)){_ARABIC_WORD}){{0,2}})"),
        re.compile(rf"(?:السيدة?|الأستاذة?|أستاذ|نام من|اسم من)\s+(?P<value>{_ARABIC_WORD})"),
        re.compile(rf"(?:مع (?:أطيب )?التحيات|تحياتي|شكرا)"
                   rf"[،,. \n]{{1,3}}(?P<value>{_ARABIC_WORD}(?: {_ARABIC_WORD})?)\s*$"),
    ),
    "Hebrew": (
        re.compile(rf"(?:קוראים לי|שמי|השם שלי(?: הוא)?|בברכה,?)\s+(?P<value>{_HEBREW_WORD}(?: {_HEBREW_WORD})?)"),
    ),
    "Devanagari": (
        re.compile(rf"(?:मेरा (?:शुभ )?नाम|नाम[: ]|माझे नाव|माझं नाव)\s*(?P<value>{_DEVANAGARI_WORD}(?: (?!है"
                   rf"|हूँ|आहे){_DEVANAGARI_WORD}){{0,2}})"),
        re.compile(rf"(?:श्री|श्रीमती|सुश्री)\s+(?P<value>{_DEVANAGARI_WORD})"),
        re.compile(rf"(?P<value>{_DEVANAGARI_WORD}) जी\b"),
    ),
}  # fmt: skip


def find(text: Folded) -> list[Span]:
    """Names behind the commonest introductions, closings and titles of other scripts."""
    if text.text.isascii():
        return []
    present = {_script(c) for c in set(text.text) if c.isalpha() and not c.isascii()}
    return [
        Span(*match.span("value"), "PERSON", CUED)
        for script, patterns in _CUES.items()
        if script in present or (script == "Kana" and "Han" in present)
        for pattern in patterns
        for match in pattern.finditer(text.text)
    ]
