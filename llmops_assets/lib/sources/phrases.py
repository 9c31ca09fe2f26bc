"""The phrases that mail programs, companies and help desks put around what a person wrote, by language.

Tables to extend: a phrase is one entry, a regular expression whose repeats are bounded. What is done where one stands
is in mail.py.
"""

import re

from llmops_assets.lib.sources.openings import Opening, Starts


def _begins(*phrases: str, before: str = "") -> Opening:
    """One pattern for all phrases that a text or line may begin with."""
    return Opening(f"{before}(?:{'|'.join(phrases)})")


def _any(*phrases: str, before: str = "", behind: str = "") -> re.Pattern[str]:
    """One pattern for all phrases."""
    return re.compile(f"{before}(?:{'|'.join(phrases)}){behind}", re.IGNORECASE)


# -- whose the quoted lines are ------------------------------------------------------------------------------------

_VERBS = (
    r"wrote|writes|schrieb|geschrieben|a écrit|escribió|schreef|ha scritto|escreveu|skrev|napisała?|napsala?|"
    r"kirjoitti|написал|написала|пишет"
)
_PRONOUNS = "you|we|i|they|he|she|it|ich|er|sie|es|man|je|tu|il|elle|on|yo|ik|u|hij"
ATTRIBUTION = _any(_VERBS, before=r"(?<![\w'])", behind=r"(?:\(a\))?(?!\w)")
"""The verb of `On … wrote:`."""
TOLD = _any(_PRONOUNS, before=r"(?<!\w)", behind=rf"\s+(?:{_VERBS})(?!\w)")
"""`you wrote` is a sentence of the person's own."""
DATED = re.compile(r"\S@\S|(?<!\d)\d{1,2}\s?[:.h]\s?\d{2}(?!\d)|(?<!\d)(?:19|20)\d\d(?!\d)")
"""What an attribution holds beside the verb: an address, a time of day, a year."""
BEGINS = re.compile(
    r"\s{0,8}(?:On|Am|Le|El|Op|Il|Il giorno|Em|Den|Dne|Dnia|W dniu|Vào|"
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Mo|Di|Mi|Do|Fr|Sa|So)[a-z]{0,6}[.,])\s.{0,60}?\d"
)
"""How an attribution begins that is wrapped over several lines."""
OLD_GMAIL = re.compile(r"\s{0,8}\d{4}-\d\d-\d\d.{0,60}<[^<>\s]+@[^<>\s]+>:\s*$")
FLAT_ATTRIBUTION = re.compile(
    r"(?:^|(?<=[.!?,;)\s]))(?:On|Am|Le|El|Op|Il)\s[^\n:]{0,40}\d[^\n]{0,160}?(?<!\w)"
    rf"(?:{_VERBS})\b[^\n:]{{0,100}}:(?=\s|$)",
    re.IGNORECASE,
)
"""An attribution within a line, where an export has made one line of all."""

# -- headers and separators ---------------------------------------------------------------------------------------

_BY = "from|von|de|da|van|fra|från|od|от|expéditeur|absender"
_SENT = "sent|gesendet|envoyée?|enviado(?: el)?|enviada|inviato|verzonden|sendt|skickat|wysłano|odesláno|отправлено"
_DATE = "date|datum|fecha|data|dato|дата"
_TO = "to|an|à|a|para|aan|til|till|do|komu|кому"
_TITLE = "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|emne|ämne|temat|předmět|тема"
_OTHER = (
    "cc|bcc|kopie|reply-to|received|return-path|message-id|mime-version|content-type|content-transfer-encoding|"
    "x-[a-z-]+|in-reply-to|references|importance|attachments|anlagen"
)
HEADER = re.compile(
    rf"[\s>*]{{0,12}}(?:(?P<by>{_BY})|(?P<sent>{_SENT})|(?P<date>{_DATE})|(?P<to>{_TO})|(?P<title>{_TITLE})|"
    rf"(?P<other>{_OTHER}))\s?\*?\s?:(?!//)",
    re.IGNORECASE,
)
"""A line of a mail's header; the group says which."""
FLAT_BY = _any(_BY, before=r"(?:^|(?<=\s))\*?", behind=r"\*?\s?:\s")
FLAT_SENT = _any(_SENT, _DATE, before=r"\s\*?", behind=r"\*?\s?:\s")
FLAT_TO = _any(_TO, _TITLE, before=r"\s\*?", behind=r"\*?\s?:\s")
_PASSED_ON = (
    "Original Message|Original Appointment|Forwarded message|Begin forwarded message|Ursprüngliche Nachricht|"
    "Original-?Nachricht|Weitergeleitete Nachricht|Message d'origine|Message original|Message transféré|"
    "Mensaje original|Mensaje reenviado|Oorspronkelijk bericht|Doorgestuurd bericht|Messaggio originale|"
    "Messaggio inoltrato|Mensagem original|Oprindelig meddelelse|Opprinnelig melding|Ursprungligt meddelande|"
    "Původní zpráva|Wiadomość oryginalna|Исходное сообщение"
)
SEPARATOR = _begins(
    rf"[-_*=]{{2,40}}\s*(?:{_PASSED_ON})\s*[-_*=]{{2,40}}",
    r"(?:Begin forwarded message|Anfang der weitergeleiteten Nachricht|Début du message réexpédié):\s*$",
    before=r"\s{0,8}",
)
SEPARATOR_WITHIN = _any(_PASSED_ON, before=r"-{3,40}\s?", behind=r"\s?-{3,40}")
RULE = re.compile(r"\s{0,8}_{16,}\s*$|\s{0,8}-{24,}\s*$")
"""Outlook's line above an old mail."""
ABOVE = _begins(
    r"##-.{0,200}-##",
    r"[-=#*_ ]{0,40}(?:please )?(?:(?:type|write|enter|add) )?(?:your )?(?:reply|response)s? above this line",
    r"[-=#*_ ]{0,40}(?:bitte )?(?:(?:geben|schreiben) sie ihre )?antwort(?:en sie)? (?:bitte )?"
    r"(?:ober|über)(?:halb)? (?:von )?dieser (?:linie|zeile)",
    before=r"\s{0,8}",
)
_ABOVE_AT_THE_END = _any(
    r"au[- ]dessus de cette ligne", r"(?:sobre|encima de) esta línea", r"boven deze (?:regel|lijn)", before=r".{0,48}"
)
"""`may_end_above` knows a word of each."""


def is_above(line: str) -> bool:
    """Whether a line asks to write the reply above it."""
    return ABOVE.match(line) is not None or (may_end_above(line) and _ABOVE_AT_THE_END.match(line) is not None)


def may_end_above(line: str) -> bool:
    """Whether a line may end as one that asks for it; False is certain."""
    begin = line[:120].lower()
    return "ligne" in begin or "línea" in begin or "regel" in begin or "lijn" in begin


# -- footers ------------------------------------------------------------------------------------------------------

_DEVICE = (
    r"(?:\w+ )?(?:iphone|ipad|ipod|android|galaxy|samsung|huawei|xiaomi|pixel|oneplus|nokia|blackberry|windows|outlook|"
    r"mail|mobile|mobil|phone|smartphone|tablet|handy|telefon|móvil|teléfono|mobiel|portable|téléphone|yahoo|gmail|"
    r"gmx|web\.de|proton|aol|t-online|appareil|dispositivo|apparaat|gerät|device)"
)
FOOTER = _begins(
    rf"sent from (?:(?:my|the|a) )?{_DEVICE}",
    rf"sent (?:via|with|using) {_DEVICE}",
    r"get outlook for|(?:hol(?:en sie sich| dir) )?outlook (?:für|voor|per) (?:ios|android|mac)",
    r"(?:télécharge[rz]|obtene[rz]|obtenga|scarica) outlook",
    r"diese nachricht wurde von meinem",
    rf"(?:diese nachricht wurde )?(?:gesendet|gesandt) (?:von|mit|aus)(?: meinem| der| mein)? {_DEVICE}",
    rf"von meinem {_DEVICE}",
    rf"envoyé (?:de|depuis|à partir de)(?: mon| ma)? {_DEVICE}",
    rf"enviado (?:desde|do|de)(?: mi| meu)? {_DEVICE}",
    rf"verzonden (?:vanaf|met)(?: mijn)? {_DEVICE}",
    rf"inviato (?:da|dal)(?: mio)? {_DEVICE}",
    rf"sendt fra(?: min)? {_DEVICE}",
    rf"skickat från(?: min)? {_DEVICE}",
    r"please consider the environment before printing",
    r"virus-free\.?(?: www\.|$)",
    r"(?:this is an automated (?:e-?mail|message)[.,] ?)?please do not reply (?:directly )?to this (?:e-?mail|message)",
    r"bitte (?:antworten sie )?nicht auf diese (?:e-?mail|nachricht)",
    r"(?P<alone>(?:click here to )?unsubscribe(?: here| now| from this list)?|(?:hier |vom newsletter )?abmelden|"
    r"se dés(?:abonner|inscrire)|darse de baja|afmelden|uitschrijven)\s*(?:$|[|·•<(:-])",
    r"(?:manage|update|change) (?:your )?(?:e-?mail |notification |subscription )?preferences\s*(?:$|[|·•<(])",
    r"to stop receiving (?:these|such|our|this)",
    r"this e-?mail is a service from",
    r"(?:powered|delivered) by (?:zendesk|freshdesk|intercom|help scout|hubspot|gorgias)",
    r"sie erhalten diese (?:e-?mail|nachricht),? (?:weil|da)|diese e-?mail wurde an \S{1,100} gesendet",
    r"vous recevez cet? (?:e-?mail|message|courriel) (?:car|parce)|recibe(?:s)? este (?:correo|mensaje) porque",
    r"u ontvangt (?:deze|dit) (?:e-?mail|bericht) omdat",
    r"you (?:are receiving|received|are getting|get) this (?:e-?mail|message|newsletter) (?:because|as)",
    r"this (?:e-?mail|message) was sent (?:to|by)\b",
    r"if you (?:no longer|do not|don't) (?:wish|want) to (?:receive|get) "
    r"(?:these|this|our|such|any|future|further|more)",
    r"to unsubscribe(?: or change[^.]{0,60})? from (?:this|these|future|all|our) "
    r"(?:list|e-?mails?|mailing|notifications)",
    r"newsletter abbestellen\s*(?:$|[|·•])",
    r"wenn sie keine weiteren e-?mails",
    r"pour vous désabonner",
    r"si vous ne souhaitez plus recevoir",
    r"si no desea recibir",
    r"view (?:this (?:e-?mail|message) )?in (?:your )?browser\s*(?:$|[|·•])",
    r"(?:caution|warning|external|achtung|vorsicht|attention)\b.{0,30}(?:external|outside|extern|externe)\b",
    r"\[?ref:[\w:.]{6,60}\]?\s*$",
    before=r"\s{0,8}",
)
"""Lines of their own: devices, unsubscribing, banners of a company's mail server. What is `alone` is a footer only
below other lines: a customer may write nothing else."""
DISCLAIMER = _begins(
    r"(?:this|the|any) (?:e-?mail|message|communication|transmission|information|content)",
    r"(?:e-?mail )?(?:confidentiality|privileged|legal|privacy) (?:notice|note|statement|information)",
    r"disclaimer\b",
    r"confidential(?:ity)?\b",
    r"if you (?:are not the|have received this)",
    r"diese (?:e-?mail|nachricht|mitteilung)",
    r"der inhalt dieser",
    r"(?:vertraulichkeits|rechtlicher )?hinweis\b",
    r"ce (?:message|courriel|mail|courrier)",
    r"le contenu de ce",
    r"est[ea] (?:mensaje|correo|e-?mail|comunicación)",
    r"(?:dit (?:bericht|e-?mail)|deze (?:e-?mail|mail))",
    r"questo messaggio",
    r"la presente",
    r"esta mensagem",
    r"(?:strictly )?privileged and confidential|private and confidential",
    before=r'\s{0,8}[*"(]{0,3}(?:(?:please )?(?:note|notice|important(?: notice)?|warning|wichtiger hinweis|aviso|'
    r"avertissement)(?: that)?\s?[:.]?\s)?",
)
"""How a disclaimer begins; its paragraph holds CONFIDENTIAL and OF_A_MAIL too."""
CONFIDENTIAL = _any(
    r"confidential|privileged|vertraulich|confidentiel|confidencial|vertrouwelijk|riservat|irrtümlich",
    r"intended (?:only |solely )?for|intended recipient|not the addressee|received (?:this|it)[^.]{0,20} in error",
    r"ausschließlich für|nicht der (?:richtige|vorgesehene|beabsichtigte)|destinataire|destinatario|geadresseerde",
)
OF_A_MAIL = _any(
    r"e-?mail|message|nachricht|mitteilung|courriel|courrier|mensaje|correo|bericht|messaggio|mensagem",
    r"communication|attachment|transmission|comunicazione",
)

# -- notices ------------------------------------------------------------------------------------------------------

GREETING = Opening(
    r"\s*(?:hi|hello|hey|dear|hallo|guten (?:tag|morgen|abend)|liebe[rs]?|sehr geehrte[rs]?|bonjour|cher|chère|hola|"
    r"estimad[oa]|beste|geachte|ciao|gentile|olá)\b[^\n!?]{0,60}?[,.!:]?(?:\s*\n\s*|(?<=[,!])\s+)"
)
THANKS = Opening(r"\s*(?:thank(?:s| you) for|vielen dank für) (?:contacting|your|ihre)[^.\n!]{0,60}[.!]\s*")
_NUMBER = r"[(\[]?#?\w{0,4}[-#]?\d[\w-]*[)\]]?"
_TICKET = r"(?:support )?(?:request|ticket|case|inquiry|enquiry|conversation)"
_DONE = (
    "(?:received|created|registered|logged|updated|assigned|reopened|solved|resolved|closed|deemed|set to|marked|"
    "merged|reviewed)"
)
_LEAVE = "(?:annual |parental |sick |maternity )?leave|vacation|holiday"
_NOW = "derzeit|zurzeit|momentan|aktuell"
_WEG = "im urlaub|abwesend|nicht erreichbar"
_MEANWHILE = (
    r"(?=[\s\S]{0,400}?(?:@|e-?mail|messages?\b|respond|reply|urgent|colleague|access|antwort|nachricht|dringend|vertret|"
    r"urgence|collègue|répon|bericht|collega))"
)
"""What says that an absence is a mail program's notice: a customer may be on holiday too."""
NOTICE = _begins(
    # A ticket's life: received, updated, merged, closed.
    rf"(?:your|the|this) {_TICKET} {_NUMBER}[^.?\n]{{0,80}}? ?(?:has|was|is)(?: now)?(?: been| being)? {_DONE}",
    rf"your {_TICKET} has been (?:received|created|registered|logged|updated|deemed solved|closed)\b",
    rf"{_TICKET} {_NUMBER}[^?\n]{{0,120}}(?:was|has been|is) (?:(?:closed|solved) and )?merged (?:into|with|in)\b",
    rf"this {_TICKET} (?:is|was|has been) (?:closed and )?(?:merged|assigned|reopened)\b",
    r"tickets? with ids?\b[^?\n]{0,60} merged\b|merged (?:from|into|with) (?:ticket|request|case|conversation)\b",
    r"you are (?:now )?(?:registered as )?(?:a )?cc(?:'?d)? on this",
    rf"we (?:have )?received your (?:message|e-?mail|{_TICKET})[^?\n]{{0,80}}(?:reference|{_TICKET})[^?\n]{{0,20}}\d",
    rf"ihre (?:anfrage|nachricht) {_NUMBER}[^?\n]{{0,60}}(?:ist|wurde) (?:bei uns )?(?:eingegangen|erhalten|"
    r"aktualisiert|geschlossen|gelöst|angelegt|zusammengeführt)",
    rf"(?:anfrage|ticket) {_NUMBER}[^?\n]{{0,120}}(?:zusammengeführt|zusammengelegt)",
    rf"votre (?:demande|ticket) {_NUMBER}[^?\n]{{0,60}}a (?:bien )?été (?:reçu|mis|créé|résolu|fermé|fusionné)",
    rf"(?:su|tu) (?:solicitud|petición|ticket) {_NUMBER}[^?\n]{{0,60}}(?:ha sido|se ha) (?:recibid|actualizad|cread|"
    r"cerrad|resuelt|combinad)",
    rf"(?:uw|je) (?:verzoek|aanvraag|ticket) {_NUMBER}[^?\n]{{0,60}}(?:is|werd) (?:ontvangen|bijgewerkt|aangemaakt|"
    r"gesloten|opgelost|samengevoegd)",
    # Out of the office.
    r"(?:automatic reply|auto(?:matic|mated)?[- ]?(?:reply|response)|automatische antwort|réponse automatique|"
    r"respuesta automática|automatisch antwoord|out[- ]of[- ](?:the[- ])?office|abwesenheits(?:notiz|benachrichtigung)|"
    r"autosvar)\b\s*(?:[:!.-]|$|\n|message|reply|notice|notification)",
    r"i(?: am|'m|’m| will be)(?: currently| now)? (?:out of|away from) (?:the |my )?(?:office|desk)\b",
    rf"i(?: am|'m|’m| will be)(?: currently| now)? on (?:{_LEAVE})\b{_MEANWHILE}",
    rf"ich bin (?:(?:{_NOW}|bis \S{{1,20}}) )?(?:nicht im büro|außer haus|(?:{_WEG}){_MEANWHILE})",
    rf"je suis (?:actuellement )?(?:absente?|en congés?)\b{_MEANWHILE}",
    r"(?:actualmente )?estoy fuera de la oficina",
    rf"ik ben (?:momenteel |op dit moment )?(?:afwezig|niet op kantoor|met vakantie)\b{_MEANWHILE}",
    # Written by a machine.
    r"this is an? (?:automated|automatic|automatically generated|auto-?generated) "
    r"(?:message|e-?mail|response|reply|notification|delivery)",
    r"dies ist eine automatisch(?:e| generierte| erstellte) ",
    r"ceci est un (?:message|e-?mail) automatique",
    r"este es un (?:mensaje|correo) (?:generado )?automátic",
    r"dit is een automatisch",
    # Not delivered.
    r"mail delivery (?:failed|subsystem|system)|delivery (?:status notification|has failed)|undeliver(?:able|ed)\b",
    r"returned mail\b|unzustellbar\b|message not delivered|nachricht (?:konnte )?nicht zugestellt",
    r"delivery to the following recipients?|address not found\s*\n",
    r"we (?:couldn.t|could not|were unable to) deliver (?:your|the|this) (?:message|e-?mail)|mailer-daemon",
    r"the following message (?:to \S{1,100} )?(?:was|is|could not be) (?:undeliverable|delivered)",
    r"your message (?:to \S{1,100} |wasn't|could ?n.t|could not)[^\n]{0,40}(?:be )?delivered",
    # Asked to rate.
    r"(?:how would you rate|please rate|we'd love to (?:hear|know) what you think of|wie (?:würden|bewerten) sie)"
    r"[^\n]{0,40} (?:(?:the|our|your) )?(?:support|customer service|service|help|unseren)[^\n]{0,40}"
    r"(?:received|got|interaction|\?|\.|$)",
    r"how (?:was|did) (?:your (?:recent )?(?:support |chat )?(?:experience|conversation)|we do)\b",
)
"""How a text begins, after a greeting and thanks, that nobody wrote to this customer."""
OF_ONESELF = re.compile(r"(?:i\b|i'|ich|je|ik|estoy|actualmente|thank|vielen)", re.IGNORECASE)
"""A notice in the first person may be a customer's own sentence."""

OF_A_LINE = (ABOVE, FOOTER, DISCLAIMER)
"""What a line by itself may begin as; a notice may stand behind a greeting and thanks."""
STARTS = Starts(begin for opening in (*OF_A_LINE, GREETING, THANKS, NOTICE) for begin in opening.starts.begins)
"""How a text begins that may have any of these in its first line."""
