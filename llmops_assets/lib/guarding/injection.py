"""Instructions to the assistant that are not its operator's: in a question, in what was said before, in an article.

Words and cues of the structure (a command to forget rules, a role that has no limits, a request for the prompt, marks
of a chat template, a text hidden in another) under one linear classifier, fitted on lines of our own. What it finds and
what it does not: docs/decisions/guards.md.
"""

import functools
import re

from llmops_assets.lib.guarding.fitted import fitted
from llmops_assets.lib.guarding.linear import Cue, Linear, sentences

KIND = "injection"


def _cue(words: str, pattern: str) -> Cue:
    return Cue(frozenset(words.split()), re.compile(pattern, re.IGNORECASE))


_GIVEN = (
    "instruction instructions rule rules guideline guidelines prompt prompts direction directions directive directives"
)
CUES = {
    "override": _cue(
        f"{_GIVEN} orders command commands restrictions policy policies programming filter filters constraints"
        f" training",
        r"\b(?:ignor\w*|disregard\w*|forget|skip|overrid\w*|bypass|drop|abandon|discard|neglect|scrap|erase|cancel)\b"
        r"(?:\W+\w+){0,5}?\W+(?:instructions?|rules?|guidelines?|prompts?|directions?|directives?|orders|commands?"
        r"|restrictions?|policy|policies|programming|filters?|constraints?|training)\b",
    ),
    "no_limits": _cue(
        "restriction restrictions limit limits limitations filter filters censorship moral morals ethics ethical"
        " guidelines disclaimer disclaimers warning warnings boundaries refusal refusals unfiltered uncensored"
        " amoral unrestricted"
        " jailbreak jailbroken jailbreaking",
        r"\b(?:no|without|any|zero|free (?:of|from)|not bound by|lacks?|ignores?|disregards?)\b(?:\W+\w+){0,3}?\W+"
        r"(?:restrictions?|limits?|limitations|filters?|censorship|morals?|ethics|ethical|guidelines|disclaimers?"
        r"|warnings?|boundaries|refusals?)\b|\b(?:unfiltered|uncensored|amoral|jailbr\w+|unrestricted)\b",
    ),
    "persona": _cue(
        "ai bot model chatbot assistant gpt machine character dan",
        r"\b(?:you are|you're|act as|pretend to be|play|become|be|simulate|named|called|as)\b(?:\W+\w+){0,4}?\W+"
        r"(?:ai|bot|model|chatbot|assistant|gpt|machine|character|dan)\b",
    ),
    "extract": _cue(
        f"{_GIVEN} message configuration config text words everything conversation",
        r"\b(?:print|show|reveal|repeat|output|display|tell|give|leak|dump|quote|share|list|copy|write|paste|translate"
        r"|encode|summari[sz]e|what (?:is|was|were|are|does))\b(?:\W+\w+){0,6}?\W+(?:(?:system |hidden |secret )?prompt"
        r"|system message|initial instructions|(?:your|hidden|above|original|secret) (?:\w+ )?(?:instructions"
        r"|rules|guidelines|config\w*)|(?:text|words|everything|conversation) (?:above|before|back|that came"
        r" before))\b",
    ),
    "never": _cue(
        "refuse refuses refusing decline declines character disclaimer disclaimers apologise apologize"
        " apologises say warn"
        " warns warning warnings comply complies anything",
        r"\b(?:never|not|n't|cannot|can't|don't|always)\b(?:\W+\w+){0,3}?\W+(?:refus\w+|declin\w+|break character"
        r"|disclaimers?|apologi[sz]e|say (?:that )?(?:it|you|no)|warn\w*|comply|complies)\b|\bstay\w* in character\b"
        r"|\bdo anything now\b",
    ),
    "to_machine": _cue(
        "ai llm model models bot bots chatbot chatbots assistant assistants",
        r"\b(?:ai|llm|language models?|chat ?bots?|bots?|(?:the|any|dear|this|virtual|ai) assistants?|the model"
        r"|assistant)"
        r"\b[^.!?\n]{0,60}?\b(?:must|should|shall|has to|ignore|disregard|output|respond|reply|answer with"
        r"|tell the (?:user|customer)|now|append)\b",
    ),
    "forged": _cue(
        "",
        r"<\|?/?(?:im_|system|user|assistant|instructions?)|\[/?(?:inst|system|sys|admin)\b|^\W{0,4}(?:system|assistant"
        r"|developer|human|new instructions?)\s*:|#{2,} ?(?:system|instruction|user)|\"role\"\s*:|known answers:"
        r"|\bend of (?:prompt|context)\b",
    ),
    "hidden": _cue(
        "",
        "[\u200b-\u200f\u2060-\u2064\U000e0000-\U000e007f]|(?:\\b\\w ){7,}"
        "|\\b(?=\\w*\\d)(?=\\w*[A-Z])[A-Za-z0-9+/]{24,}"
        "={0,2}|\\b(?:rot13|base64|base32|morse|hex string)\\b",
    ),
    "noise": _cue("", r"[\])}\"'>;=]{2,}\w|\w[\[({<$\\]{2,}"),
    "only": _cue(
        "only just nothing exactly after",
        r"\b(?:answer|respond|reply|say|output|write|print|repeat)\b(?:\W+\w+){0,3}?\W+(?:only|just|nothing|exactly"
        r"|after me)\b|\bonly with\b|\bnothing else\b",
    ),
}
"""What an injection is built of, whichever words it uses."""


@functools.cache
def model() -> Linear:
    """The classifier as it ships."""
    return fitted("injection", CUES)


def likely(text: str) -> float:
    """How likely a text holds an instruction to the assistant (0 to 1)."""
    return model().likely(text)[KIND]


def planted(text: str, threshold: float) -> list[str]:
    """The sentences of a text that speak to whoever answers from it, in order."""
    return [sentence for sentence in sentences(text) if likely(sentence) >= threshold]


def without(text: str, threshold: float) -> str:
    """A text without the sentences that are `planted` in it; nothing else of it changes, also not where it breaks."""
    for sentence in planted(text, threshold):
        text = text.replace(sentence, "")
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+(?=\n)", "", re.sub(r"[ \t]{2,}", " ", text))).strip()
