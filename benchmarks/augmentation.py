"""What each augmentation does to held-out questions, and the cosine from which its variants keep their meaning.

Usage: python benchmarks/augmentation.py [--data FILE.csv] [--seeds 5] [--per-class 4] [--json]. Without a file: the
sample's articles, known phrasings to train on, held-out ones to ask. FILE has columns `question` (or `text`,
`instruction`) and `intent`. For each seed a few questions of every class are drawn, once as they are and once with one
variant of each by the method. Two models answer: logistic regression on MiniLM (accuracy of the class) and the nearest
known question. Slices: as written, in slang and with typos (the sample's customers', not the augmentation's own), in
capitals, in other languages (translated by hand; sample only). Differences are paired by question, with the 95 %
interval of a bootstrap over questions.
"""

import argparse
import csv
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llmops_assets.lib import augmentation
from llmops_assets.lib.answering.embedding import CachedEmbedder, Embedder, find_embedder_folder
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.labelling import IntentClassifier
from llmops_assets.samples import generator

TRANSLATED = (
    ("delivery-time", "Ich habe gerade bestellt, wie viele Werktage muss ich auf das Paket warten?"),
    ("delivery-free", "Gibt es einen Mindestbestellwert, ab dem ich kein Porto zahle?"),
    ("returns-period", "Bis wann kann ich etwas zurückschicken, das mir nicht gefällt?"),
    ("returns-refund", "Wie schnell bekomme ich nach einer Rücksendung mein Geld überwiesen?"),
    ("payment-installments", "Die Stehlampe ist teuer, kann ich sie über mehrere Monate abzahlen?"),
    ("order-cancel", "Ich habe das Falsche gekauft, bitte stornieren, wann bekomme ich mein Geld?"),
    ("account-password", "Ich komme nicht in mein Konto, weil ich mein Passwort nicht mehr weiß"),
    ("warranty-length", "Meine Tischlampe ist nach drei Jahren kaputt, habe ich noch Garantie?"),
    ("setup-app", "Wie verbinde ich die neue Lampe mit meinem Handy?"),
    ("trouble-flicker", "Die Helligkeit flackert die ganze Zeit, welchen Schalter brauche ich?"),
    ("glow-cancel", "Ich will das Premium-Abo nicht mehr, mit welcher Frist muss ich kündigen?"),
    ("store-hours", "Um wie viel Uhr macht euer Laden morgens auf?"),
    ("late-parcel", "Ich warte schon viel länger als versprochen, das ist lächerlich"),
    ("delivery-tracking", "¿Hay alguna manera de ver dónde está el repartidor con mi caja?"),
    ("delivery-abroad", "Mi hermana vive en Portugal, ¿se le puede enviar un regalo directamente?"),
    ("returns-exchange", "En vez del dinero me gustaría otro modelo"),
    ("payment-methods", "¿Se puede pagar con algo que no sea una tarjeta bancaria?"),
    ("payment-invoice", "Mi contable quiere un justificante de lo que compré, ¿dónde está?"),
    ("order-address", "El paquete va a mi piso antiguo, ¿se puede corregir?"),
    ("account-delete", "Ya no quiero ser cliente, ¿cuándo se borra todo sobre mí?"),
    ("warranty-proof", "Tiré todos los papeles, ¿aún me la pueden reparar?"),
    ("setup-wifi", "Mi router tiene dos bandas, ¿a cuál se conecta la lámpara?"),
    ("trouble-blink", "Parpadea en rojo, ¿qué hago?"),
    ("glow-trial", "¿Puedo probar las escenas premium antes de pagar?"),
    ("business-discount", "¿Sale más barato comprar en grandes cantidades?"),
    ("eco-life", "¿Tendré que comprar bombillas nuevas cada año?"),
    ("delivery-express", "J'ai besoin de la lampe en urgence, y a-t-il une livraison plus rapide et à quel prix ?"),
    ("returns-label", "Je veux rendre une lampe, dans quel magasin puis-je déposer le colis ?"),
    ("payment-failed", "Ma banque a refusé le paiement, combien de temps ai-je pour réessayer ?"),
    ("order-change", "Jusqu'à quand après l'achat puis-je modifier ma commande ?"),
    ("order-confirmation", "J'ai payé mais je n'ai rien reçu par e-mail, est-ce que ça a marché ?"),
    ("account-email", "Je veux que vos messages arrivent à une autre adresse"),
    ("warranty-water", "Un orage a mouillé la lampe de jardin, allez-vous la remplacer ?"),
    ("setup-voice", "Quels assistants vocaux peuvent commander la lumière ?"),
    ("trouble-reset", "Je donne la lampe à un voisin, comment effacer ses réglages ?"),
    ("glow-price", "Combien coûte par mois le service de scènes premium ?"),
    ("business-vat", "Notre entreprise belge ne doit pas payer de TVA, que faut-il remplir ?"),
    ("store-pickup", "Si j'achète en ligne, quand puis-je retirer ma commande au magasin ?"),
    ("damaged-arrived", "J'ai ouvert le colis et la lampe est en morceaux, c'est inacceptable"),
)
GRID = tuple(round(0.05 * n, 2) for n in range(20))
LOST = 0.02
"""A method's threshold keeps the share of variants that lost their meaning at or below this."""


@dataclass(frozen=True)
class Case:
    """A question of a slice with its class."""

    slice: str
    question: str
    label: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="CSV with question and intent")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--per-class", type=int, default=4, help="questions of a class to train on")
    parser.add_argument("--methods", nargs="*", default=[*augmentation.METHODS], choices=[*augmentation.METHODS])
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    embedder = CachedEmbedder(Embedder(find_embedder_folder()), Path(".llmops") / "benchmark-embeddings.db")
    rows, cases = _file(arguments.data) if arguments.data else _sample()
    draws = [_drawn(rows, arguments.per_class, seed) for seed in range(arguments.seeds)]
    meaning = {}
    for method in arguments.methods:
        meaning[method] = _threshold(method, draws, embedder.embed)
        print(f"{method:15} variants {meaning[method]['variants']:5}  {_spoken(meaning[method])}", flush=True)
    plain = [_right(drawn, [], cases, embedder.embed) for drawn in draws]
    base = {model: _by_slice(cases, [right[model] for right in plain]) for model in ("classifier", "nearest")}
    for model, shares in base.items():
        print(f"{model}, as they are: " + "  ".join(f"{name} {share:.3f}" for name, share in shares.items()))
    effects: dict[str, dict] = {}
    sets = {method: (method,) for method in arguments.methods} | {"slang+typos+fillers": ("slang", "typos", "fillers")}
    for name, methods in sets.items():
        varied = []
        for seed, drawn in enumerate(draws):
            made = augmentation.augment(
                drawn, share=1.0, seed=seed, methods=methods, balance="label", embed=embedder.embed
            )
            varied.append(_right(drawn, made.rows, cases, embedder.embed))
        effects[name] = {model: _effect(cases, [p[model] for p in plain], [v[model] for v in varied]) for model in base}
        for model, slices in effects[name].items():
            print(f"{name:15} {model:10} " + "  ".join(f"{s} {_points(e)}" for s, e in slices.items()), flush=True)
    if arguments.json:
        print(json.dumps({"meaning": meaning, "plain": base, "effects": effects}))


def _sample() -> tuple[list[dict], list[Case]]:
    articles = generator.load_articles()
    rows = [
        {"row_id": hash_json([a.id, q])[:20], "label": a.id, "question": q, "answer": a.answer}
        for a in articles
        for q in a.questions
    ]
    cases = _asked([(q, a.id) for a in articles for q in a.held_out])
    return rows, cases + [Case("language", question, article) for article, question in TRANSLATED]


def _file(file: Path) -> tuple[list[dict], list[Case]]:
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        found = list(csv.DictReader(lines))
    column = next((name for name in ("question", "text", "instruction") if found and name in found[0]), None)
    if column is None or "intent" not in found[0]:
        raise SystemExit(f"{file}: no columns question and intent, but {', '.join(found[0]) if found else 'nothing'}")
    by_text = {row[column]: row["intent"] for row in found if row["intent"]}
    ordered = sorted(by_text, key=hash_json)
    held = len(ordered) // 2
    rows = [{"row_id": hash_json(q)[:20], "label": by_text[q], "question": q, "answer": ""} for q in ordered[held:]]
    return rows, _asked([(q, by_text[q]) for q in ordered[: min(held, 600)]])


def _asked(pairs: Sequence[tuple[str, str]]) -> list[Case]:
    slang = generator.load_phrasebook().slang
    ways: dict[str, Callable[[str], str]] = {
        "plain": str,
        "slang": lambda text: generator.slang(text, slang),
        "typos": lambda text: generator.typo(text, random.Random(text)),
        "casing": str.upper,
    }
    return [Case(name, way(question), label) for name, way in ways.items() for question, label in pairs]


def _drawn(rows: Sequence[dict], per_class: int, seed: int) -> list[dict]:
    by_label: dict[str, list[dict]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: hash_json([seed, row["row_id"]])):
        by_label[row["label"]].append(row)
    return [row for label in sorted(by_label) for row in by_label[label][:per_class]]


def _vectors(rows: Sequence[dict], embed: augmentation.Embed) -> np.ndarray:
    alone = embed([row["question"] for row in rows])
    return (alone + embed([f"{row['question']} {row['answer']}" for row in rows])) / 2


def _right(
    drawn: Sequence[dict], variants: Sequence[dict], cases: Sequence[Case], embed: augmentation.Embed
) -> dict[str, np.ndarray]:
    rows = [*drawn, *variants]
    labels = np.array([row["label"] for row in rows])
    asked, truth = embed([case.question for case in cases]), np.array([case.label for case in cases])
    model = IntentClassifier(embed([row["question"] for row in rows]), labels.tolist())
    nearest = labels[(asked @ _vectors(rows, embed).T).argmax(axis=1)]
    return {
        "classifier": np.array([label for label, _ in model.predict(asked)]) == truth,
        "nearest": nearest == truth,
    }


def _by_slice(cases: Sequence[Case], right: Sequence[np.ndarray]) -> dict[str, float]:
    mean = np.mean(right, axis=0)
    names = dict.fromkeys(case.slice for case in cases)
    return {name: float(mean[[case.slice == name for case in cases]].mean()) for name in names}


def _effect(cases: Sequence[Case], plain: Sequence[np.ndarray], varied: Sequence[np.ndarray]) -> dict[str, dict]:
    difference = np.mean(varied, axis=0) - np.mean(plain, axis=0)
    rng = np.random.default_rng(0)
    result = {}
    for name in dict.fromkeys(case.slice for case in cases):
        own = difference[[case.slice == name for case in cases]]
        means = own[rng.integers(0, len(own), (2000, len(own)))].mean(axis=1)
        low, high = np.quantile(means, (0.025, 0.975))
        result[name] = {"change": float(own.mean()), "low": float(low), "high": float(high)}
    return result


def _threshold(method: str, draws: Sequence[Sequence[dict]], embed: augmentation.Embed) -> dict:
    """Cosines of unchecked variants to their questions, and the lowest threshold that keeps their meaning.

    A variant has lost its meaning when the nearest question, its own included, is of another class. The threshold is
    never lower than what 99 of 100 variants reach.
    """
    cosines, lost = [], []
    for seed, drawn in enumerate(draws):
        pairs = [
            (place, text)
            for place, row in enumerate(drawn)
            if (text := augmentation.vary(row["question"], method, f"{seed} {row['row_id']}")) != row["question"]
        ]
        if not pairs:
            continue
        places = [place for place, _ in pairs]
        labels = np.array([row["label"] for row in drawn])
        scores = embed([text for _, text in pairs]) @ embed([row["question"] for row in drawn]).T
        cosines += scores[np.arange(len(places)), places].tolist()
        lost += (labels[scores.argmax(axis=1)] != labels[places]).tolist()
    values, gone = np.array(cosines), np.array(lost, bool)
    shares = {cut: float(gone[values >= cut].mean()) for cut in GRID if (values >= cut).sum() >= 20}
    usual = float(np.quantile(values, 0.01)) if len(values) else 0.0
    kept = [cut for cut in shares if all(shares[c] <= LOST for c in shares if c >= cut)]
    threshold = max(kept[0], max(cut for cut in GRID if cut <= max(usual, 0.0))) if kept else None
    return {
        "variants": len(values),
        "median_cosine": float(np.median(values)) if len(values) else None,
        "lost": float(gone.mean()) if len(values) else None,
        "threshold": threshold,
        "kept": float((values >= threshold).mean()) if threshold is not None else 0.0,
    }


def _spoken(found: dict) -> str:
    if found["median_cosine"] is None:
        return "nothing to change"
    return (
        f"median cosine {found['median_cosine']:.2f}  lost {found['lost']:.3f}  threshold {found['threshold']}  "
        f"kept {found['kept']:.2f}"
    )


def _points(effect: dict) -> str:
    return f"{100 * effect['change']:+.1f} [{100 * effect['low']:+.1f}, {100 * effect['high']:+.1f}]"


if __name__ == "__main__":
    main()
