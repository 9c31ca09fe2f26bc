"""A customer's mood in a text: a small lexicon with negation and intensity in five European languages.

No download and no model: every verdict can be traced to its words. How good it is: docs/decisions/labelling.md.
"""

import re
from typing import Literal

Sentiment = Literal["negative", "neutral", "positive"]
SENTIMENTS: tuple[Sentiment, ...] = ("negative", "neutral", "positive")
LIMIT = 1.0
"""Sum of weights from which a text is not neutral. Words below it (problem, please) decide only together."""
REACH = 3
"""Words before a word in which a negation or an intensity counts."""

_WEIGHTED = {
    -2.0: """
        angry annoyed annoying appalling atrocious awful bullshit clueless crap crappy cheated disappointed
        disappointing disappointment disaster disgrace disgraceful disgusted disgusting dreadful enraged fraud
        frustrated frustrating frustration fuck fucking furious garbage goddamn hate hated horrendous horrible
        idiot idiots incompetent infuriating insult insulting joke lied lies liar livid ludicrous mad nightmare
        outrageous outraged pathetic pissed ridiculous rubbish rude scam scammed scammers shame shameful shit
        shitty sucks terrible trash unacceptable unhappy unprofessional upset upsetting useless worst worthless
        wtf incompetence miserable abysmal shoddy arrogant dishonest ignored ignoring mess wütend sauer
        enttäuscht enttäuschend unverschämt frechheit katastrophe schlecht schlechter schlechteste schlimm
        furchtbar schrecklich scheiße scheiss nutzlos unfähig betrug ärgerlich verärgert inakzeptabel unmöglich
        lächerlich mies hasse nul nulle déçu déçue décevant inadmissible inacceptable honteux honte scandaleux
        arnaque furieux furieuse énervé énervée catastrophe lamentable pire merde incompétent incompétents
        ridicule enfadado enfadada decepcionado decepcionada decepcionante pésimo pésima inaceptable vergüenza
        estafa furioso furiosa fatal peor mierda ridículo inútil harto harta boos teleurgesteld teleurstellend
        belachelijk verschrikkelijk waardeloos slecht schandalig onacceptabel oplichting woedend ergerlijk
    """,
    -1.0: """
        bad badly bloody broke broken damn damaged dead defective delayed failed fails failure fed hopeless
        impossible lousy mistake nonsense poor poorly sick slow stolen stuck tired unreliable unfair
        unfortunately unable unclear unhelpful unresponsive waste wasted weird worried worse wrong confusing
        confused complaint complain complaining ridiculously overcharged overpriced flimsy leaking cracked
        scratched ripped faulty unsafe never unusable kaputt defekt beschädigt falsch langsam leider beschwerde
        beschweren cassé cassée abîmé endommagé retard lent malheureusement plainte réclamation mauvais mauvaise
        roto rota dañado dañada malo mala mal lento retraso queja defectuoso defectuosa kapot beschadigd fout
        traag helaas klacht klagen jammer
    """,
    -0.5: """
        problem problems issue issues error errors late missing waiting waited trouble help refund cancel lost
        difficult hard problème probleem problema fehler
    """,
    0.25: """
        thanks thank please ok okay fine danke merci gracias bedankt dank bitte
    """,
    1.0: """
        nice good glad better helpful useful easy fast quick quickly kind friendly works worked worth smooth
        smoothly appreciate appreciated clear reliable solved like liked pleasant polite sturdy comfortable
        recommend gut gute guter nett freundlich hilfreich schnell zufrieden gerne empfehle empfehlen bien bon
        bonne gentil aimable utile rapide content contente satisfait satisfaite bueno buena amable útil rápido
        rápida contento contenta satisfecho satisfecha goed fijn vriendelijk behulpzaam snel tevreden blij
        prettig
    """,
    2.0: """
        amazing awesome beautiful best brilliant delighted excellent exceptional fabulous fantastic flawless
        flawlessly gorgeous grateful great happy impressed incredible love loved lovely loving magnificent
        marvellous outstanding perfect perfectly phenomenal pleased splendid stunning superb terrific thankful
        thrilled top wonderful wow liebe super toll tolle großartig wunderbar perfekt begeistert ausgezeichnet
        klasse hervorragend fantastisch génial géniale parfait parfaite excellente ravi ravie magnifique adore
        formidable merveilleux genial perfecto perfecta excelente encantado encantada encanta maravilloso
        maravillosa fantástico estupendo geweldig uitstekend prachtig
    """,
}
_SAID = {
    -2.0: """
        fed up, sick of, tired of, had enough, ripped off, rip off, let down, waste of, never again, fell apart,
        falls apart, not acceptable, what the hell, how dare, ras le bol, muy mal
    """,
    -1.5: """
        still waiting, still not, still no, no response, no reply, no answer, never arrived, never came, third
        time, immer noch nicht, immer noch kein, toujours pas, todavía no, sigue sin, nog steeds niet, nog
        steeds geen
    """,
    -1.0: """
        not working, not work, n't work, stopped working, no one, nobody, money back, funktioniert nicht, geht
        nicht, ne marche pas, ne fonctionne pas, no funciona, werkt niet
    """,
    0.0: """
        customer service is, would like, i'd like, feel like, looks like, like to, like a, best way, good way,
        how good, as fast as
    """,
    0.5: """
        no problem
    """,
    1.0: """
        no problems, no issues, vielen dank, muchas gracias
    """,
    1.5: """
        thanks a lot, many thanks, merci beaucoup, heel erg bedankt, hartelijk dank
    """,
    2.0: """
        no complaints, well done, good job, great job, well made, thank you so much, thanks so much
    """,
}
_WORDS = {word: weight for weight, words in _WEIGHTED.items() for word in words.split()}
_PHRASES = {" ".join(phrase.split()): weight for weight, said in _SAID.items() for phrase in said.split(",")}
_NEGATIONS = frozenset(
    "not no never without hardly barely isn't wasn't aren't don't doesn't didn't won't can't cannot couldn't wouldn't "
    "haven't hasn't nicht kein keine keinen nie pas jamais aucun sans nunca ningún sin niet geen nooit".split()
)
_STRONGER = frozenset(
    "very really so extremely absolutely totally completely incredibly utterly too such sehr wirklich total absolut "
    "très vraiment tellement trop muy realmente tan demasiado heel erg zeer echt".split()
)
_WEAKER = frozenset("bit slightly somewhat little etwas peu poco beetje".split())
_SIGNS = {
    **dict.fromkeys("😀😃😄😁😊🙂😍🥰👍🙏❤🎉😎🤩", 2.0),
    **dict.fromkeys("😠😡🤬😤😞😢😭👎😩😫🙁☹💩", -2.0),
    ":)": 1.0, ":-)": 1.0, ":d": 1.0, "<3": 1.0, ":(": -1.0, ":-(": -1.0, ":/": -0.5,
}  # fmt: skip
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_PHRASE = re.compile("|".join(rf"(?<!\w){re.escape(p)}(?!\w)" for p in sorted(_PHRASES, key=len, reverse=True)))


def sentiment(text: str) -> Sentiment:
    """The mood of a text."""
    score = sentiment_score(text)
    return "negative" if score <= -LIMIT else "positive" if score >= LIMIT else "neutral"


def sentiment_score(text: str) -> float:
    """The sum of a text's weights: words (2 strong, 1 plain, less for weak ones), phrases, emoji; 0 is neutral.

    A negation among the three words before turns a word's weight round at half its strength; an intensity makes it
    half as much more.
    """
    lowered = text.lower().replace("’", "'")
    score = sum(weight * lowered.count(sign) for sign, weight in _SIGNS.items())
    score += sum(_PHRASES[match.group()] for match in _PHRASE.finditer(lowered))
    tokens = _TOKEN.findall(_PHRASE.sub(" . ", lowered))
    for place, token in enumerate(tokens):
        weight = _WORDS.get(token, 0.0)
        if not weight:
            continue
        before = tokens[max(0, place - REACH) : place]
        if any(word in _STRONGER for word in before):
            weight *= 1.5
        elif any(word in _WEAKER for word in before):
            weight *= 0.5
        if any(word in _NEGATIONS for word in before):
            weight *= -0.5
        score += weight
    return round(score, 4)
