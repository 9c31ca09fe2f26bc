"""What a sentence looks like to the classifier: its form (tense, person, condition, dates), its cues, its words.

A rule is told in the present, with modals, conditions and imperatives; a case in the past, the perfect or the
progressive, of definite things. Linguists call that generic and episodic (Krifka et al. 1995, The Generic Book).
"""

import re

from llmops_assets.lib.teaching import cues

_PAST = (
    "was|were|had|did|went|came|took|got|gave|sent|left|put|told|said|saw|found|made|paid|bought|spoke|wrote|rang"
    "|called|tried"
    "|kept|lost|broke|fell|forgot|chose|met|heard|felt|brought|sold|held|led|ran|began|became|knew|thought|meant"
    "|dropped|stopped"
)
_SUBJECT = (
    r"(?:i|we|you|he|she|it|they|who|(?:the|your|our|his|her|their|my|a|an|both|this|that"
    r"|that's)\s+(?:[\w'-]+\s+){0,2}[\w'-]+|[A-Z][\w.]*)"
)
_ADVERB = r"(?:(?:just|also|now|already|then|never|only|even|still|kindly|recently|actually|\w+ly)\s+)*"

FORMS: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "past": rf"\b(?:{_PAST}|didn't|wasn't|weren't|couldn't|hadn't)\b",
        "past of a subject": (
            rf"(?:^|[.,;:!?]\s*|\b(?:and|but|so|that|because|as|since)\s+)\W*{_SUBJECT}\s+{_ADVERB}(?:{_PAST}"
            rf"|\w{{2,}}ed)\b"
        ),
        "past with object": r"\b\w{2,}ed\s+(?:you|your|us|me|it|them|out|up|back|off|down)\b",
        "perfect": r"\b(?:has|have|'ve|hasn't|haven't|had)\s+(?:\w+\s+){0,2}?"
        r"(?:been|\w{2,}ed|gone|come|put|made|sent|found|got|taken|given|done|left|written|"
        r"begun|broken|chosen|paid|told|spoken|run|rung|seen|set|let|cut|lost|bought|brought|kept|held|shown|sold)\b",
        "progressive": r"\b(?:am|is|are|i'm|we're|they're|it's|he's|she's|you're)\s+(?:\w+\s+){0,2}?\w{2,}ing\b",
        "passive": (
            r"\b(?:is|are|be|gets?)\s+(?:\w+\s+){0,2}?(?:\w{2,}ed|made|sent|paid|taken|given|kept|done|sold|held|put"
            r"|set)\b"
        ),
        "modal": (
            r"\b(?:can|cannot|can't|may|must|should|shall|might|could|would|need(?:s|ed)?\s+to|ha(?:s|ve)\s+to"
            r"|want\s+to|able\s+to|allowed|possible)\b"
        ),
        "future": r"\b(?:will|won't|'ll|going\s+to|gonna)\b",
        "condition": cues.CONDITION.pattern,
        "term": cues.RULE.pattern,
        "schedule": cues._SCHEDULE.pattern,
        "imperative": r"^\W*(?:please\s+|then\s+|just\s+|simply\s+|always\s+|never\s+|first\s+"
        r"|to\s+\w+[^,]{0,60},\s*(?:please\s+|just\s+)?)*"
        r"(?:go|open|click|choose|select|press|tap|log|sign|enter|use|add|"
        r"check|bring|keep|put|send|write|call|turn|hold|pick|take|download|upload|print|navigate|switch|set|remove"
        r"|plug|wait|run|restart|update|"
        r"try|ask|make|visit|contact|follow|scroll|look|type|hit|leave|rinse|wipe|clean|replace|connect|pair|scan"
        r"|note|create|change|export|import|clear|enable|disable|install)\b",
        "steps": r"(?:^\W*\d{1,2}[.)]\s)|\s>\s|\s→\s",
        "first person": r"\bi(?:'ve|'ll|'m|'d)?\b|\bmy\b|\bme\b",
        "we": r"\bwe(?:'ve|'ll|'re)?\b",
        "our": r"\bour\b",
        "your": r"\byour\b",
        "yours": r"\byours\b",
        "you": r"\byou(?:'ve|'ll|'re|'d)?\b",
        "you first": r"^\W*(?:so\s+|yes\W+|no\W+|yep\W+)?you\b",
        "it first": r"^\W*(?:it|that|this|they|he|she|there)\b",
        "somebody": r"\b(?:mr|mrs|ms|dr|my\s+\w+|somebody|someone)\b|\b(?:told|promised|confirmed|spoke)\b",
        "near time": cues._NEAR,
        "date": cues._DATE,
        "time": r"\b\d{1,2}[:.]\d{2}\b|\b\d{1,2}\s?(?:am|pm|a\.m|p\.m|uhr|h)\b|\b(?:half|quarter)\s+past\b|\bo'clock\b",
        "money": cues._MONEY,
        "number": r"\d",
        "duration": (
            r"\b(?:\d+|one|two|three|four|five|six|seven|ten|twelve|fourteen|thirty)[\s-]+(?:\w+\s+)?(?:seconds?"
            r"|minutes?|mins?|hours?|days?|weeks?|months?|years?|nights?)\b"
        ),
        "percent": r"\d\s?%|\bper\s?cents?\b",
        "plural first": (
            r"^\W*(?:all\s+|most\s+|some\s+|no\s+|our\s+|the\s+)?(?:\w+\s+){0,2}\w{3,}s\s+(?:are|can|may|must|have"
            r"|need|do|don't|cannot|can't|take|cost|get|go|come|run|start|last|show|include|cover|will)\b"
        ),
        "thing first": r"^\W*(?:the|an?)\s",
        "verbless": r"^(?!.*\b(?:is|are|was|were|be|been|has|have|had|do|does|did|can|will|may|must|'s|'re|'ll|'ve)\b)",
        "exclaims": r"!|[\U0001F300-\U0001FAFF]",
        "asks": r"\?",
        "code": r"\b[A-Z]{1,4}-?\d{3,}\b|#\d+|\b\d{5,}\b|\b\d{1,2}[A-Z]\b",
        # Deixis and what is known between two: "is now unlocked", "the other one", "in your husband's name".
        "deixis": (
            r"\b(?:now|already|still|yet|again|back|here|so\s+far|at\s+the\s+moment|currently|meanwhile|any\s?more"
            r"|this\s+time|by\s+now|tonight)\b"
        ),
        "known thing": (
            r"\b(?:the|your|that|this|its)\s+(?:first|second|third|other|missing|wrong|right|correct|same|last|rest"
            r"|difference|extra|spare|remaining|broken|double|lost|open)\b|\bthe\s+(?:one|ones|rest|two|three|others?)\b"
            r"|\byours\b|\b(?:both|half|one|two|none|all)\s+of\s+(?:your|it|them|the|our)\b"
        ),
        "relation": r"\b(?:your|my|her|his)\s+(?:wife|husband|mother|father|mum|dad|son|daughter|boy|girl|kids?|brother"
        r"|sister|parents|partner|neighbou?r|landlord|boss|manager|colleague|doctor|bank)\b",
        "for you": r"\b(?:for|to|with|from|at|on|of)\s+(?:you|u|ya)\b",
        "you have": r"\byou(?:'ve|\s+have|'re|\s+are|\s+were|\s+had)\b|\bu\s+(?:got|have|r)\b",
        "we have": r"\b(?:we|i)(?:'ve|\s+have|'re|\s+are|'m|\s+am|\s+were|\s+was|\s+had)\b",
        "will of a person": (
            r"\b(?:i|we|he|she|they|someone|somebody)(?:'ll|\s+will|\s+shall|'d\s+like|\s+would\s+like)\b"
        ),
        # What is said of everybody: quantifiers, kinds of people, days of every week.
        "everybody": (
            r"\b(?:all|most|any|anyone|anybody|each|every|everyone|everybody|nobody|no\s+one|whoever|whatever|either"
            r"|neither|both|per|others|customers|guests|members|visitors|people|persons|passengers|students|drivers"
            r"|adults|children|kids|users|sellers|buyers|tenants|owners|readers|patients|clients|teachers|groups|pets"
            r"|dogs)\b"
        ),
        "days of every week": r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days\b|\bweekdays?\b|\bweekends\b|\bholidays\b"
        r"|\bat\s+night\b|\bround\s+the\s+clock\b",
        "denies": r"\b(?:no|not|never|none|nothing|cannot|without|\w+n't)\b",
        # How it opens, and what is left out.
        "a first": r"^\W*an?\s",
        "the first": r"^\W*the\s",
        "your first": r"^\W*your\s",
        "we first": r"^\W*(?:so\s+|and\s+|yes\W+|no\W+)?we\b",
        "please first": r"^\W*(?:please|kindly|pls)\b",
        "third person": r"^\W*(?:the|our|your|my|a)\s+(?:\w+\s+){1,2}?\w+s\s+(?!(?:are|have|can|may|must|do)\b)",
        "participle alone": (
            r"^(?!.*\b(?:is|are|was|were|be|been|has|have|had|can|may|must|will)\b).*\b(?:\w{2,}ed|sent|paid|gone|put|set"
            r"|made|done|found|lost|out|off|through|in)\W*$"
        ),
        "number alone": (
            r"(?:^|\s)\d[\d.,]*(?:\s*(?:[.,;!)]|$)|\s+(?:for|to|on|in|of\s+(?:it|your|the)|less|more|back|off|left|and"
            r"|is|are|at)\b)"
        ),
        # What is said of the conversation itself.
        "of the conversation": (
            r"\b(?:messages?|e?-?mails?|tickets?|requests?|enquir\w+|inquir\w+|case|chat|calls?|lines?|conversation"
            r"|question|answer|reply|agents?|colleagues?|queue|survey|feedback|details|attach\w*|enclos\w*|below|above"
            r"|pdf|screenshot|scan|file|form|link|thread|reference|bot|assistant|desk|team)\b"
        ),
        "asks for": (
            r"\b(?:send|tell|give|need|provide|describe|share|let|reply|answer|fill|upload|confirm|state)\b.{0,30}\b(?:us"
            r"|me|your|details|photos?|pictures?|number|postcode|name|screenshots?|logs?|reference|id|dates?|model|video"
            r"|which|what|when|where|how)\b"
        ),
        "looks into": (
            r"\b(?:look|looking|check|checking|ask|asking|find\s+out|hold|wait|waiting|moment|second|sec|minute"
            r"|transfer\w*|connect\w*|forward\w*|pass\w*|in\s+touch|(?:get|come|be)\s+back)\b"
        ),
        "feeling": (
            r"\b(?:happy|glad|sorry|hope|love|lovely|pleased|delighted|wish|annoy\w*|frustrat\w*|understand|upset"
            r"|apolog\w+|regret|thank\w*|thx|welcome|great|perfect|super|wonderful|enjoy|pleasure|patience|trust"
            r"|worr\w+|kind|dear|fun|luck)\b"
        ),
        "seems": r"\b(?:looks?\s+like|seems?|appears?|apparently|turns\s+out|it\s+says)\b",
        "decides": r"\b(?:talked|manager|boss|supervisor|honou?r|exception|for\s+you|offer\s+you|for\s+free|as\s+a)\b",
    }.items()
}
"""Name to recogniser of what a sentence may look like."""
_NAMED = re.compile(r"(?<=[a-z,;:]\s)(?:Mr|Mrs|Ms|Dr)?\.?\s?[A-Z][a-zà-ÿ]+\b")
"""A word with a capital inside a sentence: of a person or place, or of a button."""
_TOKEN = re.compile(r"[a-zà-ÿß]+(?:['’][a-z]+)?|[$?!>:«{]")


def features(sentence: str) -> dict[str, float]:
    """Features of a sentence, each with its weight. The cues are features too: what they weigh is learned."""
    text = sentence.replace("’", "'")
    found = {f"form {name}": 1.0 for name, form in FORMS.items() if form.search(text)}
    ruled = "form condition" in found or "form term" in found
    found |= {f"{name} without a rule": 1.0 for name in list(found) if not ruled and name != "form number"}
    if _NAMED.search(text):
        found["named"] = 1.0
    for cue in cues.CUES:
        if cue.pattern.search(text):
            found[f"cue {cue.reason}"] = 1.0
    shaped = re.sub(cues._MONEY, " money ", text, flags=re.IGNORECASE)
    shaped = re.sub(r"\d[\d.,:]*", " digits ", shaped.lower())
    tokens = _TOKEN.findall(shaped)
    found |= {f"word {token}": 0.5 for token in tokens}
    if tokens:
        found[f"first {tokens[0]}"] = 0.5
    found[f"length {min(5, len(tokens) // 4)}"] = 1.0
    return found
