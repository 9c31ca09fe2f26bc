"""What surrounds an answer and is none: blocks of a mail that are cut first, then sentences, each with its recogniser.

A block reaches to the end of the text (quoted history, signature) or is lines of it (quotes); a sentence is cut as a
whole. Words are those of English, German, French, Spanish and Dutch.
"""

import re
from dataclasses import dataclass

_NO_NAME = r"(?!(?:it|it's|i|i'm|i've|we|we've|you|you're|your|this|that|that's|there|he|she|they|is|are|was|no|yes)\b)"
_NAME = (
    rf"(?:(?:mr|mrs|ms|dr|prof|herr|frau|m|mme|sr|sra)\.?\s+)?{_NO_NAME}[^\s,.!?:;\n]+"
    rf"(?:\s+{_NO_NAME}[^\s,.!?:;\n]+){{0,3}}"
)
_CAPITALS = r"[A-Z][^\s,.!?:;]*(?:\s+[A-Z][^\s,.!?:;]*){0,3}"
_HELLO = (
    r"hi+y?a?|hello+|he+y+|howdy|greetings|good\s+(?:morning|afternoon|evening|day)|guten\s+(?:tag|morgen|abend)|hallo"
    r"|moin|servus|grüezi|grüß\s+gott|bonjour|bonsoir|salut|hola|buen(?:os|as)\s+(?:días|tardes|noches)|buen\s+día"
    r"|goede(?:morgen|middag|navond|nmiddag|nmorgen)|goedendag|hoi|dag"
)
_DEAR = (
    r"dear(?:est)?|sehr\s+geehrte[rs]?|liebe[rs]?|werte[rs]?|chère?s?|madame,?\s+monsieur|madame|monsieur"
    r"|estimad[oa]s?|apreciad[oa]s?|querid[oa]s?|beste|geachte|lieve"
)
GREETING = re.compile(
    rf"^\W*(?:(?:{_HELLO})(?:\s+(?:there|again|all|everyone|{_HELLO}|{_DEAR}))*(?:\s+{_NAME})?"
    rf"|(?:{_DEAR})\s+(?:(?:or|and|et|und|y|en|sir|valued|sir\s+or)\s+)*{_NAME}(?:\s+(?:or|and)\s+{_NAME})?)"
    r"\s*(?:[,!:.;]+(?=\s|$)|[–—-]+(?=\s)|(?=\n)|$)\s*",
    re.IGNORECASE,
)
"""A greeting at the beginning of a text, with whom it greets."""

_SIGN_OFF = (
    r"(?:with\s+)?(?:(?:my|our|the|very|every|good|kind(?:est)?|best|warm(?:est)?|many|friendly|sincere)\s+)+"
    r"(?:regards|wishes|greetings?|wish)|warmly|regards|rgds|yours\s+(?:sincerely|faithfully|truly)|yours|sincerely"
    r"|respectfully"
    r"|cheers|brgds|(?:all\s+the\s+)?best|thanks(?:\s+(?:again|a\s+lot|so\s+much))?|(?:many\s+)?thank\s+you|take\s+care"
    r"|talk\s+soon|greetings|with\s+regards|mit\s+(?:freundlichen?|besten|vielen|lieben)\s+gr(?:ü|ue)(?:ß|ss)(?:en)?"
    r"|(?:viele|liebe|beste|schöne|herzliche|freundliche)\s+gr(?:ü|ue)(?:ß|ss)e|mfg|lg|vg|(?:bien\s+)?cordialement"
    r"|(?:bien\s+)?à\s+vous|(?:sincères|meilleures)\s+salutations|un\s+(?:cordial\s+)?saludo|(?:cordiales\s+)?saludos"
    r"|atentamente|(?:met\s+)?(?:vriendelijke|hartelijke)\s+groet(?:en)?|groet(?:jes|en)?|mvg"
)
_SIGN_OFF_LINE = re.compile(rf"^\W*(?:{_SIGN_OFF})(?:\s+from\s+\S+(?:\s+\S+)?)?\s*(?:[,.!–—-]|$)", re.IGNORECASE)
_SIGN_OFF_SENTENCE = re.compile(
    rf"^\W*(?:(?:{_SIGN_OFF})\s*(?:[,.!–—-]\W*{_NAME}(?:\s*[,|–-]\s*{_NAME})?|(?-i:{_CAPITALS}))?|x+\s+\w+"
    rf"|x{{2,}})\W*$",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"^\W*(?:-{2,}\s*(?:original\s+message|forwarded\s+message|ursprüngliche\s+nachricht|message\s+d'origine"
    r"|mensaje\s+original|oorspronkelijk\s+bericht).*"
    r"|(?:on|am|le|el|op)\s.{4,120}\s(?:wrote|schrieb|a\s+écrit|escribió|schreef)\b.{0,80}:?"
    r"|.{0,80}<[^>\s]+>\s*(?:wrote|schrieb|a\s+écrit|escribió|schreef)\s*:?|_{10,}"
    r"|##\s*(?:please\s+)?(?:do\s+not\s+write|type\s+your\s+reply|reply)\s+.{0,60}##)\s*$",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"^\W{0,3}(?:from|von|de|van|sent|gesendet|envoyé|enviado|verzonden|to|an|à|para|aan|cc|subject|betreff|objet"
    r"|asunto"
    r"|onderwerp|date|datum|fecha)\s?:\s*\S",
    re.IGNORECASE,
)
_FOOTER = re.compile(
    r"\b(?:this|the|diese|cet?|este|dit)\s+(?:e-?mail|message|letter|communication|transmission|nachricht|mensaje"
    r"|correo|bericht)\b.*\b(?:confidential|privileged|intended\s+(?:solely|only|recipient)|vertraulich|confidenti\w+"
    r"|confidencial|vertrouwelijk)"
    r"|\breceived\s+(?:this|it)\b.{0,40}\b(?:in|by)\s+(?:error|mistake)|\bnot\s+the\s+intended\s+recipient"
    r"|\bsolely\s+for\s+the\s+(?:addressee|use)|irrtümlich\s+erhalten|\b(?:consider|think\s+(?:of|about))\b.{0,30}"
    r"\b(?:environment|before\s+print)|\bsent\s+from\s+my\b|\bget\s+outlook\s+for\b|\bunsubscribe\s+from\s+these\b"
    r"|\bregistered\s+(?:office|in\s+[A-Z]\w+)\b.*\d|\b(?:amtsgericht|handelsregister|geschäftsführer)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Cut:
    """A kind of sentence that says nothing of the matter."""

    reason: str
    pattern: re.Pattern[str]


def _cut(reason: str, *patterns: str) -> Cut:
    return Cut(reason, re.compile("|".join(patterns), re.IGNORECASE))


SENTENCES: tuple[Cut, ...] = (
    _cut(
        "the question restated",
        r"\b(?:i|we)\s+(?:\w+\s+)?(?:understand|comprehend|see|realise|realize|gather|hear)\s+(?:that\s+)?you(?:'re"
        r"|'d|\s+are|\s+would"
        r"|\s+might|\s+may|\s+want|\s+need|\s+wish|\s+have)\s*(?:\w+\s+){0,3}?(?:like|look\w*|seek\w*|try\w*|want\w*"
        r"|need\w*|wish\w*"
        r"|to\s+\w+|interested|curious|eager\w*|unsure|having|facing|experienc\w+|encounter\w*|questions?|trouble"
        r"|difficult\w*|waiting)\b",
        r"^\W*(?:it\s+)?(?:seems|sounds|looks)\s+like\s+you(?:'re|'d|\s+are|\s+would|\s+want|\s+need)\b"
        r"|\b(?:i|we)\s+(?:\w+\s+)?(?:understand|appreciate|comprehend|acknowledge)\s+your\s+\w+",
    ),
    _cut("footer", _FOOTER.pattern),
    _cut(
        "attachment",
        r"^\W*\[?\s*(?:image|file|attachment|photo|video|audio|gif|sticker|screenshot|document|voice\s+(?:note|message)"
        r"|bild|datei|anhang|fichier|imagen|bijlage)\s*(?::[^\]]*)?\]?\W*$",
        r"\[\s*(?:image|file|attachment|photo|video|cid)\b[^\]]*\]\W*$",
        r"^\W*\S+\.(?:png|jpe?g|gif|pdf|docx?|xlsx?|mp4|mov|heic|csv|zip)\W*$",
        r"\b(?:see|find|look(?:\s+at)?|refer\s+to|check|view|open)\b.{0,50}"
        r"\b(?:attach(?:ed|ment)|enclos(?:ed|ure)|annex)\b",
        r"\b(?:is|are|in)\s+(?:the\s+)?(?:attached|enclosed|attachment|annex)\b.{0,25}$",
        r"^\W*(?:attached|enclosed)\b.{0,60}$|\b(?:anbei|im\s+anhang|ci-joint|en\s+pièce\s+jointe|adjunto"
        r"|in\s+de\s+bijlage)\b",
    ),
    _cut(
        "attachment",
        r"\bi(?:'ve|\s+have)?\s+(?:\w+\s+)?(?:attached|enclosed|included)\b.{0,40}$|\b(?:in|with)\s+this\s+(?:e-?mail"
        r"|mail|message)\b.{0,10}$",
    ),
    _cut(
        "rating request",
        r"\b(?:rate|review)\b.{0,40}\b(?:chat|conversation|us|service|experience|support|reply|answer|me)\b",
        r"\b(?:complete|fill|take|answer|leave|give|write|pop|drop)\b.{0,60}\b(?:survey|questionnaire|review|feedback"
        r"|stars?|rating|opinion)\b",
        r"\bhow\s+(?:did\s+(?:i|we)\s+do|satisfied|likely\s+(?:are\s+you|is\s+it))\b|\byour\s+(?:opinion|feedback)\b"
        r".{0,30}\b(?:matters?|counts?|helps?|important|valuable|appreciated)\b|\btell\s+us\s+how\s+(?:i|we)\s+did\b",
        r"\b(?:bewerten\s+sie|bewertung\s+abgeben|évaluez|notez-nous|valore\s+(?:la|nuestra)|beoordeel)\b",
    ),
    _cut(
        "bot line",
        r"\b(?:i\s+am|i'm|ich\s+bin|je\s+suis|soy|ik\s+ben)\b.{0,40}\b(?:virtual|digital|automated|chat-?\s?bot|bot\b"
        r"|ai\s+assistant|assistant\s+bot|virtuelle\w*|asistente\s+virtual)",
        r"^\W*\[?(?:bot|chatbot|system|assistant\s+bot)\]?\s*:|^\W*\[(?:bot|system)\]|\bbeep\s+boop\b",
        r"\b(?:pick|choose|select)\b.{0,30}\b(?:topic|option|category|button)s?\b.{0,25}\b(?:below|to\s+(?:start"
        r"|begin|continue))\b",
        r"\byou\s+are\s+now\s+(?:chatting|connected|talking|speaking)\b|\b(?:has|have)\s+(?:joined"
        r"|left)\s+the\s+(?:chat"
        r"|conversation)\b|\b(?:chat|conversation)\s+(?:was|has\s+been|is)\s+(?:transferred|assigned|ended|closed)\b",
        r"\b(?:all|no)\s+(?:of\s+)?(?:our\s+)?(?:agents?|representatives?|colleagues|operators?|advisers?"
        r"|team\s+members)"
        r"\b.{0,30}\b(?:busy|available|occupied)\b|\bnumber\s+\d+\s+in\s+(?:the\s+)?(?:queue|line)\b"
        r"|\b(?:position|place)\s+in\s+(?:the\s+)?queue\b|\bleave\s+a\s+message\b.{0,20}$"
        r"|\b(?:type|press|reply(?:\s+with)?)\s+['\"]?(?:\d|yes|no|agent|human|menu|stop)\b",
        r"^\W*welcome\s+to\b.{0,40}$|\bcalls?\s+(?:may|might|can)\s+be\s+recorded\b",
        r"\bi\s+(?:didn't|did\s+not)\s+(?:quite\s+)?(?:get|understand|catch)\s+that\b",
        r"\bi\s+can\s+help\s+you\s+with\b.{0,80}\band\b",
    ),
    _cut(
        "notice",
        r"\b(?:request|ticket|case|enquiry|inquiry|correspondence|message|mail"
        r"|e-?mail)s?\b\W*(?:\(?\s*(?:ref\.?\s*)?#?\s*"
        r"[\w/-]*\d[\w/-]*\s*\)?)?\W*(?:was|were|has\s+been|have\s+been|is|are)?\s*(?:successfully\s+"
        r"|now\s+)?(?:received"
        r"|registered|logged|closed|merged|solved|reopened|assigned|created|opened|updated\s+by|acknowledged)\b",
        r"^\W*merged\s+(?:in|with|to)|\b(?:auto(?:matic(?:ally)?)?[\s-]*(?:generated|reply|response|answer|message"
        r"|notification))\b|\backnowledge?ment\s+of\s+receipt\b",
        r"\b(?:do\s+not|don't|please\s+do\s+not)\s+(?:reply|respond)\b|\bto\s+(?:reopen|add\s+(?:further\s+"
        r"|additional\s+)?"
        r"comments)\b.{0,40}\b(?:reply|respond|e-?mail)\b|\bout\s+of\s+(?:the\s+)?office\b",
        # The number or the receipt of a message, not of what it is about.
        r"^\W*(?:your|the|this)\s+(?:ticket|case|request|enquiry|inquiry|message|complaint|(?:fault\s+|incident\s+"
        r"|damage\s+)?report|reference)\s*(?:(?:id|number|no\.?|reference|code)\s*(?:is\s+|:\s*)"
        r"(?:#?[\w/-]*\d[\w/-]*|<\w+>)\W*$|(?:(?:number|no\.?)\s+)?(?:#?[\w/-]*\d[\w/-]*|<\w+>)?\s*(?:was|has\s+been|is)\s+"
        r"(?:registered|logged|noted|opened|created|recorded|received)\W*$)",
        r"\bwe\s+(?:have\s+)?(?:just\s+)?(?:received|got)\s+your\s+(?:request|message|e-?mail|mail|letter|enquiry"
        r"|inquiry|ticket)\b",
        r"\byour\s+(?:request|ticket|enquiry|inquiry|case|message)\s+(?:has\s+been|was|is)\s+(?:received|logged"
        r"|registered"
        r"|created|solved|closed|merged)\b|\b(?:ihre\s+anfrage|votre\s+demande|su\s+solicitud|je\s+aanvraag)\b.{0,30}"
        r"\b(?:eingegangen|reçue|recibid[oa]|ontvangen)\b",
    ),
    _cut(
        "hold line",
        r"(?<!in\s)(?<!for\s)(?<!\d\s)(?<!cents\s)(?<!euros\s)\b(?:one|just\s+a|a)\s+(?:moment|second|sec|minute|min|tick)s?\b(?=\W*(?:$|please|pls"
        r"|bitte|while|until|just\b|having|i\b|(?:to|as)\s+\w+))(?!.{0,40}\d).{0,60}$",
        r"\b(?:bear|stay)\s+with\s+me\b|\bhang\s+(?:on|tight)\b|^\W*hold\s+(?:on\b|the\s+line)|\bplease\s+(?:hold"
        r"|wait|stand\s+by)\b"
        r"(?!.{0,40}(?:\d|until|before))|\bstill\s+here\b",
        r"\blet\s+me\s+(?:just\s+|quickly\s+)?(?:check|look|see|have\s+a\s+look|take\s+a\s+look|find|pull|ask)\b",
        r"^\W*(?:just\s+|now\s+|currently\s+)?(?:checking|looking|having\s+a\s+look|investigating"
        r"|waiting\s+for\s+the\s+system)\b.{0,40}$",
        r"\bi\s+must\s+look\b|\b(?:i|we)\s*(?:'ll|\s+will|\s+shall)?\s+(?:look|check)\s+(?:into\s+)?(?:it|this|that"
        r"|the\s+matter)\b.{0,40}$"
        r"|^\W*will\s+check\b|\b(?:i|we)\s*(?:'ll|\s+will)\s+(?:get|come|be)\s+(?:right\s+)?back\s+to\s+you\b.{0,40}$",
        r"\b(?:receiving|have|giv(?:e|ing))\s+(?:\w+\s+){0,2}attention\b|\breply\s+will\s+follow\b"
        r"|\bask\s+for\s+your\s+patience\b"
        r"|\bwhile\s+(?:i|we)\s+(?:retrieve|check|look|pull|review|fetch)\b|\bi\s+give\s+you\s+answer\s+soon\b"
        r"|\b(?:agent|colleague|representative|adviser|someone)\s+will\s+(?:be\s+with|join)\s+you\b"
        r"|\bwait(?:ing)?\s+time\s+is\b|\bwon't\s+be\s+a\s+(?:tick|minute|moment)\b|\bi(?:'m|\s+am)\s+(?:still\s+"
        r"|just\s+)*(?:looking|digging|checking|searching)\b.{0,40}$",
        r"\b(?:einen?\s+(?:kleinen\s+)?(?:moment|augenblick)|ich\s+schaue|ich\s+prüfe\s+das|un\s+instant|je\s+vérifie"
        r"|un\s+(?:momento|segundo)|lo\s+(?:estoy\s+)?comprob\w+|een\s+(?:moment|ogenblik)|ik\s+kijk\s+(?:even|het))\b",
    ),
    _cut(
        "thanks",
        r"^\W*(?:(?:and|ok|okay|so|first\s+of\s+all|again|many|our|hello|hi|good\s+day)\W+)*(?:thanks?|thank\s+you"
        r"|thx|ty|cheers|merci|danke\w*"
        r"|vielen\s+dank|herzlichen\s+dank|(?:muchas\s+)?gracias|bedankt|dank\s+(?:je|u)|hartelijk\s+dank)\b.{0,160}$",
        r"\b(?:we|i)\s+(?:\w+\s+)?(?:appreciate|thank)\s+(?:you|your)\b.{0,90}$|\bfor\s+which\s+we\s+thank\s+you\b"
        r"|\bmerci\s+de\s+nous\s+avoir\b",
    ),
    _cut(
        "apology",
        r"^\W*(?:\w+\W+){0,6}?(?:sorry|apolog(?:y|ies|i[sz]e)|regret)\b(?!.{0,60}\b(?:but|however|can't|cannot|not"
        r"|only)\b)[^\d]{0,90}$",
        r"\b(?:so|very|really|ever\s+so|truly|terribly)\s+sorry\W*$|\bi\s+(?:totally\s+)?get\s+how\b",
        r"^\W*(?:entschuldig\w+|(?:es\s+)?tut\s+(?:mir|uns)\s+leid|désolée?s?|nous\s+sommes\s+désolés|lo\s+siento"
        r"|lamentamos|sorry\s+voor)\b[^\d]{0,80}$",
        r"\b(?:i|we)\s+(?:fully\s+|completely\s+|can\s+|totally\s+)?(?:understand|comprehend|see|realise|realize|know"
        r"|get)\b"
        r"(?:\s+(?:that|how|your|the|why|it)\b)[^\d]{0,30}\b(?:you|your|frustrat\w+|annoy\w+|inconvenien\w+|concern\w*"
        r"|want|would\s+like|trying|looking)\b(?!.{0,60}\b(?:order|ordered|parcel|paid|was|were"
        r"|has\s+been)\b).{0,120}$",
    ),
    _cut(
        "offer of help",
        r"\b(?:anything|something)\s+else\b.{0,40}$|\blet\s+(?:me|us)\s+know\b.{0,70}$"
        r"|\b(?:do\s+not|don't|please)\s+(?:\w+\s+)?hesitate\b|\bfeel\s+free\s+to\s+(?:reach|contact|ask|write|call"
        r"|get|let|message)\b"
        r"|\b(?:should|if)\s+you\s+(?:have|require|need|encounter)\s+(?:any\s+)?(?:\w+\s+){0,3}(?:questions?"
        r"|assistance|help|support"
        r"|guidance|difficult\w+|issues?|concerns?|problems?)\b",
        r"\b(?:i|we)(?:'m|'re|\s+am|\s+are)\s+(?:\w+\s+)?(?:here|happy|glad|pleased|delighted)\s+to\s+(?:help|assist"
        r"|guide|support"
        r"|hear|be\s+of|provide|answer)\b|\bhappy\s+to\s+help\b|\b(?:we|i)\s+(?:\w+\s+)?remain\s+at\s+your\s+disposal\b"
        r"|\b(?:hope|trust)\s+(?:that\s+)?(?:this|it|that|i|you)\b.{0,110}$|\ballow\s+me\s+to\b|\blet\s+me\s+(?:guide"
        r"|help|assist|explain)\b"
        r"|\brest\s+assured\b.{0,10}$|\b(?:i\s+can|let's)\s+(?:definitely\s+)?help\s+you\s+with\s+that\b",
    ),
    _cut(
        "wish",
        r"^\W*(?:and\s+)?(?:have|enjoy|we\s+wish\s+you|wish\s+you|i\s+wish\s+you)\b.{0,20}\b(?:a\s+)?(?:nice|great"
        r"|good|lovely|fab\w*"
        r"|wonderful|fantastic|pleasant|super)?\s*(?:day|week(?:end)?|evening|afternoon|ride|time|trip|morning"
        r"|night)\b.{0,20}$",
        r"\b(?:you(?:'re|\s+are)|u\s+r)\s+(?:so\s+|very\s+|most\s+|always\s+)?welcome\b|^\W*(?:lovely|nice|good"
        r"|great)\s+to\s+"
        r"(?:meet|hear|see)\b|^\W*(?:bye+|take\s+care|see\s+ya)\b.{0,20}$|\b(?:bonne\s+journée|schönen\s+tag|buen\s+día"
        r"|fijne\s+dag|einen\s+schönen)\b.{0,20}$|^\W*how\s+are\s+you\b",
        r"\b(?:your\s+\w+\s+is\s+our\s+(?:top|first|highest)\s+priority)\b",
    ),
    _cut(
        "question back",
        r"\?\W*$",
        r"(?:^\W*|please\s+(?:to\s+)?|kindly\s+|you\s+to\s+|pls\s+)(?:provide|tell|give|send|share|state|confirm"
        r"|write|let\s+(?:me|us)\s+have)\b.{0,25}\b(?:me|us|"
        r"to\s+me)?\b.{0,20}\b(?:(?:your|the)\s+(?:\w+\s+){0,3}(?:number|id|postcode|name|address|date\s+of\s+birth"
        r"|e-?mail|digits"
        r"|logs?|model|reading|details)|number\s+of\s+your|logs)\b.{0,60}\W*$",
        r"^\W*(?:send|give|tell)\s+(?:me\b|logs?\b|screenshots?\b)|\bid\s+(?:pls|please)\b"
        r"|\bin\s+order\s+(?:to\s+assist|that\s+we\s+may)\b",
        r"\b(?:send|share|give|provide|tell|supply|let)\s+(?:me|us)\b[^.!?]{0,60}:\s*$",
    ),
)
"""Reason and recogniser of sentences that are cut, in the order they are asked. One of your own is one entry here."""

SMALL_TALK = frozenset(
    """
    a absolutely again ah aha all allright alright amazing an and are at awesome aww be below bet bien btw but
    bye certainly claro cool course dear definitely done easy exactly fab fantastic fine follow for friend
    from fyi gerne gladly go good got gotcha graag great guys haha hello here hey hi hm hmm hooray how i info
    information is it ja just k klar lol lovely luckily man mate me much my natuurlijk natürlich nee nein nice
    no non nope not now of oh ok okay ooh oops oui perfect please pls por possible prima problem q question
    quick really reply right roger see sicher simple so sorry sound sounds steps super supuesto sure sweet sí
    sûr that thats the then there these thing things this to too totally true ugh uh um understood very
    volontiers wait we welcome well what with woohoo worries worry wow ya yay yeah yep yes you your yup
    """.split()
)
"""Words of sentences that say nothing when there are no others."""


def without_blocks(text: str) -> tuple[str, list[str]]:
    """A text without quoted history, signature and greeting, and the reasons of what was cut, in order."""
    reasons: list[str] = []
    lines = text.strip().splitlines()
    kept: list[str] = []
    for number, line in enumerate(lines):
        headers = [bool(_HEADER.match(each)) for each in lines[number : number + 3]]
        if _QUOTED.match(line.strip()) or (headers[0] and sum(headers) >= 2):
            reasons.append("quoted history")
            break
        if line.lstrip().startswith(">") and not kept_chain(line):
            reasons.append("quoted history")
            continue
        if re.fullmatch(r"\s*(?:--+|__+|\*\*+|==+)\s*", line):
            reasons.append("signature")
            break
        if _SIGN_OFF_LINE.match(line) and len(line.split()) <= 7 and not re.search(r"\d", line):
            reasons.append("sign-off")
            break
        kept.append(line)
    body = "\n".join(kept).strip()
    if (greeted := GREETING.match(body)) is not None and len(greeted[0].split()) <= 8:
        reasons.append("greeting")
        body = body[greeted.end() :]
    return body, list(dict.fromkeys(reasons))


def kept_chain(line: str) -> bool:
    """Whether a line that begins with ">" is a path through menus ("> Account > Password") and no quote."""
    return line.count(">") > 1 and len(line.split()) <= 8


def cut_of(sentence: str) -> str | None:
    """Why a sentence is no part of an answer; None when it may be."""
    if _SIGN_OFF_SENTENCE.match(sentence) and len(sentence.split()) <= 7:
        return "sign-off"
    found = next((cut.reason for cut in SENTENCES if cut.pattern.search(sentence)), None)
    if found is None and (greeted := GREETING.match(sentence)) is not None and greeted.end() == len(sentence):
        return "greeting"
    if found is None and not (words(sentence) - SMALL_TALK):
        return "small talk"
    return found


def words(sentence: str) -> set[str]:
    """The lower-case words of a sentence, numbers included."""
    return set(re.findall(r"[^\W_]+", sentence.lower().replace("'", "").replace("’", "")))
