"""What tells that a sentence speaks of one customer's case: the table of cues, each with the reason it stands for.

A cue gives way (`unless`) to words that make a rule of the sentence: a condition ("if", "when"), or also a term that
holds for everybody ("within", "always", "up to"). Words are those of English, with the main ones of German, French,
Spanish and Dutch.
"""

import re
from dataclasses import dataclass

CONDITION = re.compile(
    r"(?:^|[\s,;:(–-])(?:if|when(?:ever)?|once|unless|until|as\s+soon\s+as|as\s+long\s+as|in\s+case|in\s+the\s+event"
    r"|should\s+you"
    r"|where\s+a|every|each|any|always|never|usually|normally|generally|typically|in\s+general|customers?\s+(?:who"
    r"|can|may)"
    r"|wenn|falls|sobald|solange|immer|jede[rsn]?|si|dès\s+que|lorsque|quand|toujours|chaque|cuando|siempre|cada|als"
    r"|zodra"
    r"|altijd|elke?)\b",
    re.IGNORECASE,
)
RULE = re.compile(
    r"\b(?:within|after|automatically|up\s+to|at\s+least|at\s+most|maximum|minimum|per|by\s+e-?mail|provided|only"
    r"|for\s+all|all"
    r"|before|during|takes?|can|may|must|cannot|can't|innerhalb|nach|bis\s+zu|können|dans\s+les|jusqu'à|pouvez|dentro"
    r"|hasta"
    r"|puede|binnen|kunt|kan|tot)\b",
    re.IGNORECASE,
)
_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Cue:
    """A recogniser of one kind of personal sentence; it gives way where `unless` is found before or around it."""

    reason: str
    pattern: re.Pattern[str]
    unless: tuple[re.Pattern[str], ...] = ()

    def speaks(self, sentence: str) -> bool:
        """Whether the sentence is of this kind."""
        return self.pattern.search(sentence) is not None and not any(rule.search(sentence) for rule in self.unless)


def _cue(reason: str, *patterns: str, unless: tuple[re.Pattern[str], ...] = ()) -> Cue:
    return Cue(reason, re.compile("|".join(patterns), re.IGNORECASE), unless)


def _any(words: str) -> str:
    """A pattern for any of the words."""
    return f"(?:{'|'.join(words.split())})"


_DONE = _any(
    """
    refunded reimbursed credited cancel+ed sent resent shipped dispatched despatched posted mailed e-?mailed
    updated changed altered amended adjusted swapped merged combined reset unlocked unblocked blocked booked
    rebooked escalated forwarded passed fixed removed deleted activated deactivated reactivated applied added
    upgraded downgraded moved switched restarted restored renewed waived reissued replaced corrected reversed
    closed reopened ordered reordered popped stuck found located checked reviewed processed issued transferred
    transfered registered confirmed approved received resolved solved discontinued arranged scheduled
    rescheduled returned paid deducted charged granted reduced noted verified contacted informed asked spoken
    talked looked investigated traced tracked put made given gave got raised opened submitted placed let
    enrolled unsubscribed linked unlinked disconnected reconnected assigned created set done sorted resumed
    paused stopped extended delivered collected finished completed declined rejected lifted
    """
)
_ADVERB = (
    r"(?:just|now|already|today|hereby|also|both|therefore|meanwhile|since|then|gone\s+ahead\s+and|exceptionally"
    r"|actually|duly|kindly)"
)
_MONEY = (
    r"(?:(?:€|£|\$|eur|euros?|usd|gbp|chf)\s?\d[\d.,]*|\d[\d.,]*\s?(?:€|£|\$|eur\b|euros?|usd\b|gbp|chf|dollars?"
    r"|pounds?|quid|francs?|kr\b))"
)
_WEEKDAY = (
    r"(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?|mittwoch|donnerstag|(?:mon|diens|frei|sams|sonn)tag|lundi"
    r"|mardi|mercredi"
    r"|jeudi|vendredi|samedi|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo|(?:maan|dins|woens|donder"
    r"|vrij|zater|zon)dag"
)
_MONTH = (
    r"jan(?:uar[yi]?|uary)?|feb(?:ruar[yi]?)?|mar(?:ch|s)?|märz|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?|janvier|février|avril|juin|juillet|août"
    r"|octobre"
    r"|novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
)
_DATE = (
    rf"(?:\b\d{{1,2}}(?:st|nd|rd|th|\.)?\s+(?:of\s+)?(?:{_MONTH})\b|\b(?:{_MONTH})\s+\d{{1,2}}\b"
    rf"|\b\d{{1,2}}[./]\d{{1,2}}\.?"
    rf"(?:\d{{2,4}})?\b|\b(?:{_WEEKDAY})\b|\b(?:first|second|third|\w+th)\s+of\s+(?:{_MONTH})\b|\bweek\s+\d{{1,2}}\b"
    rf"|\b(?:in|until|since)\s+(?:{_MONTH})\b|\b\d{{4}}-\d\d-\d\d\b|\bthe\s+\d{{1,2}}(?:st|nd|rd|th)\b)"
)
_NEAR = (
    r"(?:\b(?:yesterday|today|tonight|tomorrow)\b|\bthis\s+(?:morning|afternoon|evening|week|weekend|month)\b"
    rf"|\b(?:last|next|coming)\s+(?:night|week|month|(?:{_WEEKDAY}))\b|\bthe\s+next\s+week\b|\b(?:minutes?|hours?"
    rf"|days?|weeks?)\s+ago\b"
    r"|\bby\s+(?:now|the\s+weekend)\b|\bin\s+a\s+(?:sec|second|minute|moment|few\s+minutes)\b"
    r"|\b(?:gestern|heute|morgen\s+(?:früh|vormittag|nachmittag|abend|an)|übermorgen|vorhin|gerade\s+(?:eben)?)\b"
    r"|\b(?:hier|aujourd'hui|demain|ce\s+matin)\b|\b(?:ayer|hoy|esta\s+(?:mañana|tarde))\b|\b(?:gisteren|vandaag"
    r"|vanochtend"
    r"|vanmiddag|vanmorgen)\b)"
)
_SCHEDULE = re.compile(
    r"\b(?:open(?:ed|ing)?|closed?|shut|hours|holidays?|season|sale|campaign|offer|policy|prices?|recall|deadline"
    r"|newsletter"
    r"|to\s+(?:mon|tues|wednes|thurs|fri|satur|sun)day|through|weekdays|geöffnet|geschlossen|ouverts?|fermés?"
    r"|abiert[oa]s?"
    r"|cerrad[oa]s?|geopend|gesloten)\b",
    re.IGNORECASE,
)
_ORDER_BY = re.compile(
    r"\b(?:orders?|ordered|bestell\w+|command\w+|pedidos?)\b.{0,25}\b(?:before|by|until|till|vor|bis|avant|antes"
    r"|voor)\b",
    re.IGNORECASE,
)
_IDEAS = re.compile(
    r"\b(?:our|the)\s+(?:own\s+)?(?:\w+\s+)?(?:terms|policy|policies|prices?|hours|range|assortment|catalogue|privacy"
    r"|conditions|app|website"
    r"|service|warranty|guarantee|menu|shop|stores?|emissions)\b",
    re.IGNORECASE,
)
_THING = (
    _any(
        """
        order parcel package packet shipment delivery refund payment money overpayment return replacement invoice
        bill cheque check account ticket request claim case complaint application booking reservation appointment
        transfer amount sum fee charge block goods item driver courier carrier engineer technician fitter warehouse
        supplier bank seller truck team department colleague mechanic mail e-?mail label code document reading card
        contract hold issue problem error money node job
        """
    )
    + "s?"
)

CUES: tuple[Cue, ...] = (
    _cue(
        "something agreed",
        r"\bas\s+(?:discussed|agreed|promised|requested|arranged|instructed|you\s+(?:asked|requested|wanted|wished"
        r"|told|said))\b"
        r"|\bhow\s+(?:we\s+spoke|you\s+wanted)\b|\b(?:per|at|on)\s+your\s+request\b|\bas\s+per\s+your\b",
        r"\bfurther\s+to\b|\bwith\s+reference\s+to\s+your\b|\b(?:i|we)\s+refer\s+to\b"
        r"|\bin\s+accordance\s+with\s+your\s+(?:letter|mail|request|wish)"
        r"|\bfollowing\s+(?:our|your)\b|\b(?:our|your)\s+(?:last\s+|telephone\s+|phone\s+|recent\s+)*(?:conversation"
        r"|call|chat|talk|discussion)"
        r"\b|\b(?:said|spoke|agreed|talked|discussed|told)\b.{0,20}\bon\s+(?:the\s+)?(?:tele)?phone\b|\bwe\s+spoke\b"
        r"|\bagreed\s+by\s+(?:tele)?phone\b",
        r"(?:^|[,;]\s*|\b(?:that|and|as|because|since|which)\s+)you\s+(?:have\s+)?(?:told|wrote|mentioned|said|asked"
        r"|sent|sended)\s+(?:us|me|that|in|about|for)\b",
        r"\b(?:picture|photo|video|document|screenshot|reading)s?\b.{0,15}\byou\s+(?:sent|sended|uploaded|attached)\b",
        r"\bwie\s+(?:\w+\s+)?(?:besprochen|vereinbart|gewünscht|versprochen)\b|\bcomme\s+(?:convenu|demandé)\b"
        r"|\b(?:como|según)\s+"
        r"(?:acordamos|hablamos|lo\s+acordado)\b|\bzoals\s+(?:besproken|afgesproken|gevraagd)\b",
    ),
    _cue(
        "goodwill",
        r"\bgesture\b|\bgoodwill\b|\bone[- ]off\b|\bone[- ]time\s+(?:exception|only)\b|\b(?:just\s+)?(?:this\s+once"
        r"|for\s+once)\b"
        r"|\bexceptionally\b|\b(?:by\s+way\s+of|as\s+an?|made\s+an?|an?\s+one-time)\s+exception\b|\bin\s+your\s+case\b"
        r"|\bon\s+this\s+occasion\b|\btoken\s+of\b|\bnotwithstanding\b|\bone\s+time\s+only\b|\bfor\s+our\s+sorry\b"
        r"|^(?!.*\b(?:first|second|third|every|each|always|any|all|if|when)\b).*\bon\s+(?:the\s+house|us)\b"
        r"|\bas\s+(?:a|an)\s+(?:small\s+|little\s+)?(?:thank\s+you|apology|sorry|courtesy|compensation)\b"
        r"|\bto\s+make\s+(?:it\s+)?up\s+(?:for|to)\b",
        r"\b(?:for|because\s+of|in\s+view\s+of)\s+(?:all\s+)?(?:the|your|this|our)\s+(?:trouble|bother|inconvenience"
        r"|faff|hassle|delay|(?:long\s+)?wait(?:ing)?|outage|mix-?up"
        r"|mistake)\b(?=.*\d|.*\b(?:free|voucher|credit|discount)\b)|\b(?:free|voucher|credit|discount|months?"
        r"|%)\b.{0,40}\bfor\s+(?:all\s+)?(?:the|your"
        r"|this)\s+(?:trouble|bother|inconvenience|faff|hassle|delay|wait|outage|mix-?up)\b"
        r"|\bit\s+was\s+our\s+(?:mistake|fault|error)\b",
        r"\bi(?:'ll|\s+will|\s+can)\s+(?:throw|offer|give|let|knock|take)\b|\baus\s+kulanz\b|\bausnahmsweise\b"
        r"|\beinmalig\b"
        r"|\bà\s+titre\s+(?:exceptionnel|commercial)\b|\bgeste\s+commercial\b|\bexcepcionalmente\b|\buit\s+coulance\b"
        r"|\bbij\s+uitzondering\b",
    ),
    _cue("one person's data", r"<[A-Z][A-Z_]*_\d+>"),
    _cue(
        "an identifier",
        r"\b(?:id|code|reference)\s*(?:is\s+|:\s*|#\s*)?\d{6,}\b",
        r"\b(?:order|parcel|ticket|invoice|tracking|reference|case|booking|rma|shipment|return|customer)\s*(?:number"
        r"|no\.?|id|code|#)?\s*(?:is\s*|:\s*|#\s*)?"
        r"(?:[A-Z]{1,4}-?)?\d{5,}\b|\bending\s+(?:in|with)\s+\d{3,4}\b|#\d{4,}\b|\btracking\s+(?:number|code)\s+(?:is"
        r"|for\s+it)\b"
        r"|\byour\s+(?:voucher|coupon|promo|discount|pickup|collection|tracking)\s+(?:code|number)\s+is\b",
    ),
    _cue(
        "something done for a customer",
        rf"\bi(?:'ve|\s+have|\s+had|'m\s+having)?\s+(?:{_ADVERB}\s+)*(?:{_DONE}|send|was\s+\w+ing|did|saw|spoke|went"
        rf"|took|wrote|called|rang|have)\b"
        r"(?!\s+(?:a|an|the|some|no|any|my)?\s*(?:question|idea|feeling|suggestion|recommendation)\b)",
        rf"\bi(?:'ve|\s+have|\s+had)\s+(?:{_ADVERB}\s+)*\w+(?:ed|en|wn|ught|lt|id|ne|nt)\b|\bi\s+{_ADVERB}\s+\w+ed\b",
        rf"\bwe(?:'ve|\s+have|\s+had)\s+(?:{_ADVERB}\s+)*(?:{_DONE}|send)\b(?!\s+our\b)(?!\W*$)",
        r"\b(?:have|has)\s+been\s+(?:\w+ly\s+)?(?:added|credited|paid|refunded|transferred|removed"
        r"|deducted)\b.{0,30}\byour\b",
        r"\b(?:ich|wir)\s+hab(?:e|en)\b.{0,80}\b(?:ge\w+(?:t|en)|\w+(?:iert|schrieben|stattet|lassen|wiesen|hoben"
        r"|sendet|sandt|ändert))\b",
        r"\b(?:j'ai|nous\s+(?:vous\s+)?avons)\s+(?:\w+\s+)?(?:\w+(?:é|és|ée|ées)|remis|transmis|fait|mis|inscrit"
        r"|rendu|reçu)\b",
        r"\b(?:he|hemos)\s+(?:\w+\s+)?\w+(?:ado|ido|echo|uesto|elto|ito)\b|\b(?:ik|we"
        r"|wij)\s+heb(?:ben)?\b.{0,60}\b(?:ge\w+(?:d|t|en)"
        r"|ver\w+(?:d|t|en)|\w+ge(?:\w+)(?:d|t|en|ort)|aangepast|ontvangen|hersteld)\b",
        unless=(CONDITION, _IDEAS),
    ),
    _cue(
        "something done for a customer",
        rf"\bwe\s+(?:{_ADVERB}\s+)*(?:refunded|credited|cancel+ed|sent|shipped|dispatched|despatched|posted|e-?mailed"
        rf"|updated|changed|merged"
        r"|unlocked|booked|escalated|forwarded|removed|waived|reissued|replaced|corrected|reversed|reopened|found"
        r"|located|checked|reviewed|received"
        r"|transferred|looked|contacted|asked|collected|paid|issued|processed|noticed|tried|did|got|made|gave)\b",
        r"\bwe(?:'re|\s+are)\s+(?:currently\s+|now\s+|just\s+)?(?:sending|giving|shipping|refunding|crediting"
        r"|preparing|processing|checking|reviewing|keeping)\s+(?:to\s+)?(?:you|your|it|this|the)\b"
        r"|\bwe(?:'re|\s+are)\s+(?:currently\s+|now\s+)?(?:investigating|looking\s+into|working\s+on|prepared\s+to"
        r"|pleased\s+to\s+(?:confirm|inform)|writing)\b",
        r"\bwe\s+(?:hereby\s+)?(?:confirm|inform\s+you)\b|\b(?:pleased|happy|glad|sorry|regret)\s+to\s+(?:inform"
        r"|confirm|tell|say)\b|\b(?:be|are)\s+(?:informed|advised)"
        r"\s+that\s+(?:your|we|the)\b.{0,80}\b(?:has|have|was|were|is\s+now)\b",
        unless=(CONDITION, _IDEAS),
    ),
    _cue(
        "a promise",
        r"\bi(?:'ll|\s+will|\s+shall|'m\s+(?:going\s+to|gonna|about\s+to)|\s+am\s+(?:going\s+to"
        r"|about\s+to))\s+(?!be\s+happy|be\s+glad|explain)\w+"
        r"|\bi(?:'m|\s+am)\s+(?:\w+ly\s+)?(?:sending|enclosing|arranging|getting|putting|forwarding|passing|refunding"
        r"|making|adding|changing|doing|giving"
        r"|processing|ordering|writing|calling|working|looking)\b|^\W*(?:gonna|going\s+to|will)\s+\w+|\bleave\s+(?:it"
        r"|this|that)\s+with\s+me\b"
        r"|\bon\s+your\s+behalf\b|\b(?:specialist|colleague|adviser|agent|manager|supervisor"
        r"|member\s+of\s+\w+\s+team)\b.{0,20}\bwill\s+(?:\w+\s+)?"
        r"(?:contact|call|reply|write|get|come|be\s+in\s+touch|e-?mail|reach|ring)\b|\bich\s+(?:werde|kümmere)\b"
        r"|\bje\s+vais\b|\bvoy\s+a\b|\bik\s+(?:zal|ga)\b",
        rf"\bwe\s+(?:send|bring|make|give|put)\s+(?:for\s+|to\s+)?you\b.{{0,60}}{_NEAR}",
        r"^\W*(?:restoring|sending|processing|working|moving|resetting|fixing|refunding"
        r"|shipping)\s+(?:\w+\s+){0,3}(?:now|eta|yours?)\b",
    ),
    _cue(
        "a promise",
        r"\bwe(?:'ll|\s+will|\s+shall)\s+(?:\w+ly\s+)?(?:send|ship|issue|refund|credit|bring|call|ring|contact|write"
        r"|resend|dispatch|take\s+it\s+back|deliver|collect|exchange"
        r"|replace|get\s+back|revert|arrange|look|investigate)\b",
        unless=(CONDITION, RULE),
    ),
    _cue(
        "what one customer did",
        r"(?:^|[,;:]\s*|\b(?:because|since|and|as|that|see|indicate|note|notice)\s+)you(?:'ve"
        r"|\s+have)?\s+(?:already\s+|just\s+|still\s+|only\s+)*(?:registered|signed|ordered"
        r"|paid|bought|entered|uploaded|returned|cancel+ed|chose|selected|made|created|missed|used|placed|subscribed"
        r"|opted|were|was|suffered|requested|applied|got)\b",
        r"\byou\s+(?:were|are\s+being|have\s+been|got|had\s+been)\s+(?:\w+\s+)?(?:charged|billed|refunded|overcharged"
        r"|logged|registered|blocked|invoiced|debited|credited|sent|moved)\b",
        r"\byou(?:'re|\s+are)\s+(?:currently\s+|now\s+|still\s+|already\s+)?(?:on\s+(?:the\s+"
        r"|our\s+)?\w+(?:\s+(?:plan|tariff|package))?\s*(?:[,.]|$)|registered|subscribed\s+to)",
        r"\b(?:our\s+records|our\s+calculation\w*|the\s+system|our\s+system|your\s+history)\b.{0,12}\b(?:shows?"
        r"|indicates?|says?|that|,|you)\b|\baccording\s+to\s+our\b",
        r"\b(?:in|your)\s+(?:the\s+)?(?:system|records|file)\b.{0,20}\bi\s+see\b|\bi\s+(?:can\s+|do\s+)?(?:see|notice"
        r"|understand)\s+(?:here\s+|that\s+|from\s+)*(?:you|your|it|the|in)\b"
        r"|\bi\s+(?:looked|checked|see)\b|\b(?:oh|ah+|hmm)\W+(?:i\s+see\W+)?(?:you|your)\b",
        unless=(CONDITION,),
    ),
    _cue(
        "an amount of one customer",
        rf"\byour\s+(?:\w+\s+){{0,3}}(?:is|are|was|of|amounts?\s+to|stands?\s+at|comes?\s+to|totals?)\s+(?:now\s+"
        rf"|currently\s+|at\s+)?{_MONEY}"
        rf"|\byour\s+{_MONEY}|\b(?:you\s+owe|you(?:'ve|\s+have)?\s+paid|you\s+(?:were|are)\s+(?:charged|billed)"
        rf"|(?:balance|sum|total|amount)\s+(?:on\s+your|of\s+your|is|was|of)"
        rf"|the\s+amount\s+of|the\s+sum\s+of|totalling)\b.{{0,40}}{_MONEY}|\b(?:still|left)\s+to\s+pay\b"
        rf"|\bcorrect\s+sum\b",
        r"\byou(?:'ve\s+got|\s+have|\s+still\s+have)\s+(?:still\s+)?(?:\d[\d.,]*|two|three"
        r"|several)\s+(?:\w+\s+)?(?:unpaid|open|outstanding|points|unused|overdue|accounts|orders|credits)\b"
        r"|\bis\s+\d{1,3}\s?%\s+(?:full|used|complete|empty)\b|\byou\s+were\s+billed\b",
        unless=(CONDITION,),
    ),
    _cue(
        "the state of one case",
        r"\byours\s+(?:is|was|are|has)\b|\byour\s+(?:[\w'’.-]+\s+){1,5}?(?:was|were|has\s+(?!to\b)(?:now\s+|just\s+"
        r"|already\s+|been\s+|successfully\s+)*\w+|have\s+(?:been|now|already)|had|got|went|came|come"
        r"|left|arrived|failed|bounced|didn't|did\s+not|could\s+not|couldn't|shipped|landed)\b|\byour\s+\w+(?:'s"
        r"|’s)\s+(?:now|still|on|in|at|been|back|out|sitting|just|ready|with|gone|switched|off)\b"
        r"|\byour\s+\w+\s+(?:just|already)\b",
        rf"\b(?:the|this|that|both|second|first|second)\s+(?:\w+\s+){{0,3}}{_THING}\s+(?:\w+\s+){{0,5}}?(?:was|were"
        rf"|has\s+(?!to\b)|have\s+(?!to\b)(?:been|now|already)|had|left|went|tried|attempted|arrived|came|couldn't"
        rf"|could\s+not"
        r"|didn't|did\s+not|bounced|failed|told|said|confirmed|is\s+(?:already|now|back|out|on\s+(?:its|the)|deleted"
        r"|changed|returned|sent|coming|presently|currently))\b",
        r"\b(?:on|customs|in)\s+customs\b|\bstill\s+(?:being|in\s+\w+|waiting|with)\b|\bas\s+we\s+speak\b"
        r"|\bis\s+on\s+it\b",
        unless=(CONDITION,),
    ),
    _cue(
        "the state of one case",
        rf"\byour\s+(?:[\w'’.-]+\s+){{1,5}}?(?:is|are|'s)\s+(?:not\s+)?(?:now|currently|still|already|presently|just"
        rf"|in\s+(?:progress|transit|production|the\s+(?:production|queue|post)|process|delivery)|on\s+(?:its"
        rf"|the)\s+way"
        rf"|under\s+(?:review|examination|investigation)|with\s+(?:the|our)|back|out\s+for|ready|being|pending"
        rf"|delayed|overdue|stuck|lost|{_DONE})\b",
        r"\b(?:it|they|he|she)(?:'s|\s+is|\s+was|\s+has|\s+are|'ve)\s+(?:been\s+|now\s+|still\s+|already\s+|just\s+"
        r"|currently\s+|back\s+)*(?:out\s+for|on\s+its|on\s+the\s+way|at\s+the\s+depot|back|in\s+transit"
        r"|with\s+(?:the|our)|sitting|started"
        r"|delivered|shipped|left|under\s+(?:review|examination)|being)\b|\b(?:money|refund)(?:'s"
        r"|\s+is)\s+(?:on\s+its|back|gone|out|through|done)\b|\brefund(?:'s|\s+has)\b",
        r"\byour\s+(?:[\w'-]+\s+){1,4}?(?:is|are)\b[^,;]{0,60}\b(?:now|currently|at\s+the\s+moment)\W*$",
        r"\b(?:is|are|was|were|has|have|been|come|gone|returned)\b[^,.]{0,25}\balready\b|^\W*(?:in\s+progress|pending"
        r"|on\s+its\s+way|on\s+hold|out\s+for\s+delivery)\b|\bpending\s+at\b"
        r"|\b(?:payment|card|transfer|e-?mail|mail)\s+(?:bounced|failed|declined|went\s+through)\b",
        r"\b(?:ihre?|deine?|eure?)\s+(?:[\w-]+\s+){1,3}(?:wurde|ist\s+(?:seit|unterwegs|bereits|schon|nun|jetzt"
        r"|angekommen|eingegangen|in\s+(?:der|bearbeitung))|kommt|liegt|war|hat)\b",
        r"\b(?:votre|ton|ta|vos)\s+(?:[\w'-]+\s+){1,3}(?:a\s+(?:bien\s+)?été|est\s+(?:en|arrivée?|partie?|bloquée?"
        r"|bien)|sera|était)\b",
        r"\b(?:su|tu|sus|tus)\s+(?:\w+\s+){1,3}(?:ha\s+sido|está|fue|salió|llegará|ha\s+\w+)\b",
        r"\b(?:uw|je|jouw)\s+(?:\w+\s+){1,3}(?:is\s+(?:onderweg|verzonden|bezorgd|\w+\s+(?:bezorgd|verzonden"
        r"|verwerkt))|werd|staat|ligt)\b",
        unless=(CONDITION, RULE),
    ),
    _cue(
        "a date of one case",
        rf"\b(?:your|you(?:'ll|\s+will|\s+should)|for\s+you|to\s+you|with\s+you|see\s+you|it(?:'ll|\s+will|\s+should"
        rf"|\s+is\s+expected)|should\s+(?:land|arrive|be)|planned|scheduled|was|were|came|left|went|will\s+(?:attend"
        rf"|come|arrive|bring"
        rf"|be\s+(?:exchanged|with|there|delivered|here))|is\s+coming|arrives|arriving|we\s+will)\b.{{0,80}}{_DATE}",
        rf"{_DATE}.{{0,40}}\b(?:your|to\s+you)\b.{{0,30}}\b(?:will|is|expires|ends)\b|\b(?:donderdag|morgen"
        rf"|am\s+(?:{_WEEKDAY}))\b.{{0,30}}\b(?:langs|kommt|geliefert)\b|\b(?:kommt|geliefert)\b.{{0,20}}\bmorgen\b",
        unless=(CONDITION, _SCHEDULE),
    ),
    _cue("a date of one case", _NEAR, unless=(CONDITION, _ORDER_BY)),
    _cue(
        "the agent speaks of what he does",
        r"(?:^|[,;:.!?–-]\s*|\b(?:and|but|so|since|because|as|that|while)\s+)\W*(?:i|my\s+(?:boss|manager|colleague"
        r"|supervisor|team\s?lead)\w*)"
        r"(?:'ve|'ll|'m|'d)?\s+(?!(?:would|'d|do|strongly|highly|always|usually)?\s*(?:recommend|suggest|advise|say"
        r"|think|believe|guess|hope|understand"
        r"|know|mean|appreciate|love|wish|regret|apologi[sz]e|have\s+to|must|cannot|can't|afraid|sorry|fear)\b"
        r"|remain\b|(?:totally\s+)?get\b|(?:am\s+|was\s+)?(?:\w+\s+){0,2}(?:afraid|sorry|happy|glad|here|sure"
        r"|pleased)\b|recommend|suggest|advise)\w+",
        unless=(CONDITION,),
    ),
    _cue(
        "something that happened",
        rf"(?<!who\s)(?<!that\s)(?<!which\s)\b(?:has|have|hasn't|haven't|he's|she's)\s+(?:not\s+)?(?:\w+ly\s+|now\s+"
        rf"|just\s+|already\s+)*(?:been\s+\w{{2,}}|{_DONE}|come|gone|answered|\w+ed\s+(?:us|you|your|at|on|to|the))\b",
        r"(?:^|[,;:.!?]\s*|\b(?:and|but|so|since|because|like|that|seems|appears)\s+)\W*(?:we|you|they|he|she|it"
        r"|(?:the|your|our|their)\s+\w+)\s+(?:just\s+|also\s+|already\s+|never\s+|\w+ly\s+)*"
        r"(?:was|were|had|did|went|came|took|got|gave|sent|left|told|said|saw|found|paid|bought|spoke|wrote|rang"
        r"|called|tried|kept|lost|broke|forgot|chose"
        r"|moved|promised|missed|refunded|decided|booked|talked|asked|agreed|changed|cancel+ed|confirmed|closed"
        r"|wasn't|weren't|didn't|couldn't)\b",
        unless=(CONDITION, RULE, _IDEAS),
    ),
)
"""The kinds of sentences that speak of one case, in the order they are asked. One of your own is one entry here."""

_PLAIN_DONE = re.compile(
    rf"^\W*(?:(?:ok(?:ay)?|so|yep|yes|all|hi|and|tell\s+you\s+what|done|sorted|fixed)\b\W*)*(?:just\s+|already\s+"
    rf"|now\s+|been\s+|has\s+|have\s+|all\s+)*(?!(?:put|set|let|reset)\b){_DONE}\b(?!\s+\w+s\s+(?:can|may|must|are"
    rf"|will|cannot|appear|take|count|need|have))",
    re.IGNORECASE,
)
"""A sentence that opens with what was done, without saying by whom: "Refunded.", "Just merged your accounts"."""
_BUTTON = re.compile(
    r"^\W*(?:then\s+|now\s+|please\s+|finally\s+)*(?:choose|select|tap|press|click|hit|pick|use)\s", re.IGNORECASE
)
"""A step whose last word is what a button says: "Choose Reset"."""
_SHORT_DONE = re.compile(rf"^\W*(?:the\s+|your\s+|an?\s+)?(?:[\w'-]+\s+){{1,4}}{_DONE}\b", re.IGNORECASE)
_PLURAL_DONE = re.compile(rf"^\W*(?:[\w'-]+\s+){{0,3}}\w{{2,}}s\s+{_DONE}(?:\W+\w+){{3,}}", re.IGNORECASE)
"""Several things with a participle and a predicate: "Orders placed before noon leave the same day"."""
_VERB = re.compile(
    r"\b(?:is|are|be|been|can|cannot|can't|may|must|will|would|should|get|gets|not|never|no|only|within|after|if|when"
    r"|included|accepted|have|has|need|needs|to)\b",
    re.IGNORECASE,
)
_RULED = re.compile(r"\b(?:within|after|if|when|only|not|can|may|must|no|up\s+to|per|each|every)\b", re.IGNORECASE)


def personal(sentence: str) -> str | None:
    """Why a sentence is one customer's; None when it may hold for everybody."""
    found = next((cue.reason for cue in CUES if cue.speaks(sentence)), None)
    if found is not None:
        return found
    if _PLAIN_DONE.search(sentence) and not CONDITION.search(sentence):
        return "something done for a customer"
    short = _SHORT_DONE.match(sentence)
    if (
        short
        and not _BUTTON.match(sentence)
        and not _VERB.search(short[0])
        and not _PLURAL_DONE.match(sentence)
        and not _RULED.search(sentence)
        and len(sentence.split()) <= 9
    ):
        return "something done for a customer"
    return None
