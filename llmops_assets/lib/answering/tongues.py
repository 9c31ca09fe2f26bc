"""Which language a customer writes in, and whether it is another one than the assistant's."""

import re

from llmops_assets.lib.answering.smalltalk import words

_FUNCTION_WORDS = {
    "en": """the a an is are was do does did how what when where who why which can could will would should i you he
        she it we they my your his our their to of in on at for from with not and or but if this that there
        please have has had get got be been much many long""",
    "de": """der die das ein eine einen einem einer ist sind war wie was wann wo wer warum welche welcher kann können
        könnt muss darf ich du sie er wir ihr mein meine meinen meiner mir mich dein eure zu von im am auf für
        mit nicht und oder aber wenn bitte habe haben hat gibt es noch auch nach bei zurück wird werden viel
        lange mal hab so schon denn wieder den dem des zum zur euch sie um""",
    "fr": """le la les un une des du est sont était comment que quoi quand où qui pourquoi quel quelle quels quelles
        peut peux puis-je puis pouvez je tu il elle nous vous mon ma mes votre vos à de en sur pour avec ne pas
        et ou mais si ce cette ces ai avez avoir combien dans chez plus très on au aux c'est j'ai qu'est n'ai""",
    "es": """el los las un una unos es son era está cómo qué cuándo dónde quién cuál cuánto cuánta cuántos cuántas
        puedo puede pueden yo usted ustedes ella nosotros mi mis tu su sus de en sobre para con por no y pero si
        se este esta tengo tiene tienen hay hola lo la le me se te nos del al ha han he muy más ya cuesta tarda""",
    "nl": """de het een is zijn was hoe wat wanneer waar wie waarom welke kan kunnen ik jij hij zij wij mijn jullie
        uw naar van op voor met niet en of maar als dit dat heb heeft hebben er nog ook bij moet mag lang veel""",
    "it": """il lo gli una uno è sono come cosa quando dove chi perché quale quanto quanti posso può potete io lei
        noi mio mia vostro di da in su per con non e ma se questo questa ho hai avete c'è del della""",
    "pt": """o os as um uma é são como que quando onde quem porquê qual quanto quantos posso pode podem eu você ele
        nós meu minha seu de da do em para com não e mas se este esta tenho tem há""",
    "pl": """jest są jak co kiedy gdzie kto dlaczego który która ile mogę może można ja ty wy mój moja mnie do z na w
        dla nie i ale czy to ten ta mam ma długo się""",
}
_WORDS = {code: frozenset(listed.split()) for code, listed in _FUNCTION_WORDS.items()}
_SIGNS = re.compile("[¿¡]")


def tongue(text: str, own: str) -> str:
    """Two-letter code of the language of a text, or `own` where nothing says clearly that it is another one.

    A short text is told by its function words: what statistics over letters say of three words, typing errors among
    them, is no ground for an answer in Dutch.
    """
    # The package around it loads numpy, which the code location must not.
    from llmops_assets.lib.labelling.languages import language

    said = words(text).split()
    counts = {code: sum(word in listed for word in said) for code, listed in _WORDS.items()}
    if _SIGNS.search(text):
        counts["es"] += 2
    guessed = language(text, own)
    if own not in _WORDS and (guessed == own or not own):
        return guessed
    mine = counts.get(own, 0)
    likely = max(counts, key=lambda code: (counts[code], code == guessed, code == own))
    if guessed != own and guessed not in _WORDS:
        # Of another script, or of a language whose words are not listed here.
        return guessed if not mine and any(c.isalpha() and c > "\u02af" for c in text) else own
    if counts[likely] > mine and (likely == guessed or counts[likely] >= mine + 2):
        return likely
    return guessed if guessed != own and counts.get(guessed, 0) > mine else own
