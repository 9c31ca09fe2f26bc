"""Recall, precision and over-masking of the redaction on conversations with known spans, and its speed beside bare
Presidio.

Usage: python benchmarks/redaction.py [--set unseen|tuned|generated] [--data FILE ...] [--half dev|final] [--json]
[--endpoint URL --reader MODEL], the last for a language model that looks for names too (key: LLMOPS_READER_KEY).
The headline are the families of conversations that the rules were not written for
(llmops_assets/samples/personal_data_unseen.yaml); `tuned` are those they were, `generated` the templates of
personal_data.py; --data adds files. A line of a file is a conversation with `turns`, each with `full_text` and `spans`
(`start_position`, `end_position`, `entity_type`). A span counts as found when 90 % of its characters other than spaces
are masked. Precision is the share of masked characters (other than spaces) that lie in a span. Spans of kinds that are
not redacted (organisations, places, dates) count neither way. `split` are spans that hold a part of a value whose rest
stands in another turn. Intervals are Wilson's, 95 %.
"""

import argparse
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops_assets.lib.redaction import Redactor, models
from llmops_assets.lib.redaction.readers import PromptedReader
from llmops_assets.lib.statistics import wilson
from llmops_assets.samples.personal_data import conversations as generated
from llmops_assets.samples.personal_data import families
from resources.chat_endpoint import ChatEndpoint

NOT_REDACTED = frozenset(
    "ORGANIZATION GPE NRP TITLE AGE DATE_TIME DOMAIN_NAME LOCATION FACILITY ZIP_CODE PRODUCT MONEY".split()
)
FOUND = 0.9


@dataclass
class Tally:
    """Counts over texts."""

    hit: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    right_by: Counter[str] = field(default_factory=Counter)
    masked_by: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    touched: int = 0
    halves: int = 0
    halves_hit: int = 0
    family_hit: Counter[str] = field(default_factory=Counter)
    family_total: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("unseen", "tuned", "generated"), action="append", help="none: all three")
    parser.add_argument("--data", type=Path, action="append", default=[], help="JSONL of conversations")
    parser.add_argument("--half", choices=("dev", "final"), help="only every other conversation of the files")
    parser.add_argument("--draws", type=int, default=4, help="of every conversation of a family")
    parser.add_argument("--count", type=int, default=400, help="generated conversations")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--model", default="", help="folder of another English spaCy pipeline")
    parser.add_argument("--endpoint", default="", help="OpenAI-compatible address of a further reader")
    parser.add_argument("--reader", default="", help="the model it is there")
    parser.add_argument("--speed-texts", type=int, default=1_000, help="texts the speed is measured on; 0: not at all")
    parser.add_argument("--show", type=int, default=0, help="print this many misses and wrongly masked places")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    chosen = {
        "unseen": lambda: list(families("unseen", arguments.draws, arguments.seed)),
        "tuned": lambda: list(families("tuned", arguments.draws, arguments.seed)),
        "generated": lambda: list(generated(arguments.count, seed=arguments.seed)),
    }
    names = arguments.set or ([] if arguments.data else list(chosen))
    sets = {name: chosen[name]() for name in names}
    halves = {"dev": slice(0, None, 2), "final": slice(1, None, 2), None: slice(None)}
    sets |= {file.stem: read(file)[halves[arguments.half]] for file in arguments.data}
    redactor, results = Redactor(model=arguments.model, reader=further(arguments.endpoint, arguments.reader)), {}
    for name, rows in sets.items():
        tally = judge(rows, redactor)
        results[name] = summary(tally)
        report(name, results[name])
        for line in [*tally.misses[: arguments.show], *tally.wrong[: arguments.show]]:
            print(line)
    if arguments.speed_texts:
        texts = [[turn["full_text"] for turn in row["turns"]] for rows in sets.values() for row in rows]
        kept, count = [], 0
        for conversation in texts:
            kept.append(conversation)
            count += len(conversation)
            if count >= arguments.speed_texts:
                break
        results["speed"] = speed(kept, arguments.model)
        print("texts per CPU second {rows_per_cpu_second:.0f}, bare Presidio".format(**results["speed"]), end=" ")
        print("{bare_rows_per_cpu_second:.0f}: {speedup:.1f} times".format(**results["speed"]))
    if arguments.json:
        print(json.dumps(results))


def further(url: str, model: str) -> PromptedReader | None:
    """The reader behind an endpoint; None without one."""
    if not url:
        return None
    endpoint = ChatEndpoint(url, model, os.environ.get("LLMOPS_READER_KEY", ""), max_tokens=512)
    return PromptedReader(endpoint.ask, model)


def read(file: Path) -> list[dict[str, Any]]:
    """The conversations of a file; a row without turns is one of a single turn."""
    text = file.read_text()
    rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    return [row if "turns" in row else {"turns": [row]} for row in rows]


def judge(chosen: Sequence[dict[str, Any]], redactor: Redactor) -> Tally:
    """What of the spans was masked, and what else."""
    tally = Tally()
    for conversation in chosen:
        turns = conversation["turns"]
        for turn, found in zip(turns, redactor.find_all([turn["full_text"] for turn in turns]), strict=True):
            text, spans = turn["full_text"], [s for s in turn["spans"] if s["entity_type"] not in NOT_REDACTED]
            covered = {i for s in found for i in range(s.start, s.end)}
            true = {i for s in spans for i in range(s["start_position"], s["end_position"])}
            neither = {i for s in turn["spans"] for i in range(s["start_position"], s["end_position"])} - true
            for span in spans:
                places = [i for i in range(span["start_position"], span["end_position"]) if not text[i].isspace()]
                hit = sum(i in covered for i in places) >= FOUND * len(places)
                tally.total[span["entity_type"]] += 1
                tally.hit[span["entity_type"]] += hit
                tally.halves += span.get("half", False)
                tally.halves_hit += hit and span.get("half", False)
                tally.family_total[conversation.get("family", "")] += 1
                tally.family_hit[conversation.get("family", "")] += hit
                if not hit:
                    tally.misses.append(f"missed {span['entity_type']} {span['entity_value']!r} in {text!r}")
            for span in found:
                places = [i for i in range(span.start, span.end) if not text[i].isspace() and i not in neither]
                right = sum(i in true for i in places)
                tally.masked_by[span.entity] += len(places)
                tally.right_by[span.entity] += right
                if right < FOUND * len(places):
                    tally.wrong.append(f"wrong {span.entity} {text[span.start : span.end]!r} in {text!r}")
            tally.clean += not turn["spans"]
            tally.touched += not turn["spans"] and bool(found)
    return tally


def summary(tally: Tally) -> dict[str, Any]:
    """The figures of a tally."""
    hit, total = tally.hit.total(), tally.total.total()
    right, masked = tally.right_by.total(), tally.masked_by.total()
    return {
        "recall": hit / max(1, total),
        "recall_interval": wilson(hit, max(1, total)),
        "precision": right / max(1, masked),
        "precision_interval": wilson(right, max(1, masked)),
        "clean_masked": tally.touched / max(1, tally.clean),
        "clean_interval": wilson(tally.touched, max(1, tally.clean)),
        "clean_turns": tally.clean,
        "split_recall": tally.halves_hit / max(1, tally.halves),
        "split_interval": wilson(tally.halves_hit, max(1, tally.halves)),
        "split_spans": tally.halves,
        "per_family": {name: tally.family_hit[name] / count for name, count in sorted(tally.family_total.items())},
        "per_entity": {
            entity: {
                "recall": tally.hit[entity] / count,
                "interval": wilson(tally.hit[entity], count),
                "spans": count,
            }
            for entity, count in sorted(tally.total.items())
        },
        "per_placeholder": {
            entity: {
                "precision": tally.right_by[entity] / max(1, count),
                "interval": wilson(tally.right_by[entity], max(1, count)),
                "characters": count,
            }
            for entity, count in sorted(tally.masked_by.items())
        },
    }


def speed(texts: Sequence[Sequence[str]], model: str = "") -> dict[str, float]:
    """Texts per CPU second of the redactor and of bare Presidio on the same texts, in one process."""
    rows = [text for conversation in texts for text in conversation]
    redactor = Redactor(model=model)
    redactor.redact(["Loads the language model: Anna Smith told me."])
    started = time.process_time()
    for _ in redactor.redact_many(texts):
        pass
    ours = time.process_time() - started
    analyze = bare_presidio()
    analyze("Loads the language model: Anna Smith told me.")
    started = time.process_time()
    for row in rows:
        analyze(row)
    bare = time.process_time() - started
    return {
        "rows_per_cpu_second": len(rows) / ours,
        "bare_rows_per_cpu_second": len(rows) / bare,
        "speedup": bare / ours,
    }


def bare_presidio() -> Any:
    """Presidio as it comes: its default recognisers around the same spaCy model, a call per text."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    # The e-mail recogniser asks for the public suffix list: here the copy in its package, nothing from the network.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR

    class Engine(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__(ner_model_configuration=NerModelConfiguration())
            self.nlp = {"en": spacy.load(models.installed_models()["en"])}

    engine = AnalyzerEngine(nlp_engine=Engine(), supported_languages=["en"])
    return lambda text: engine.analyze(text, language="en")


def report(name: str, result: dict[str, Any]) -> None:
    """The figures of a set as a table."""
    print(f"== {name}")
    for entity, values in result["per_entity"].items():
        low, high = values["interval"]
        print(f"{entity:20} recall    {values['recall']:.3f} [{low:.3f}, {high:.3f}] of {values['spans']} spans")
    for entity, values in result["per_placeholder"].items():
        low, high = values["interval"]
        print(f"<{entity}>".ljust(20), f"precision {values['precision']:.3f} [{low:.3f}, {high:.3f}]", end=" ")
        print(f"of {values['characters']} masked characters")
    if len(result["per_family"]) > 1:
        for family, recall in result["per_family"].items():
            print(f"{family:40} recall    {recall:.3f}")
    for figure in ("recall", "precision"):
        low, high = result[f"{figure}_interval"]
        print(f"{figure:20} {result[figure]:.3f} [{low:.3f}, {high:.3f}]")
    low, high = result["clean_interval"]
    print(f"clean turns masked   {result['clean_masked']:.3f} [{low:.3f}, {high:.3f}] of {result['clean_turns']}")
    if result["split_spans"]:
        low, high = result["split_interval"]
        print(f"split values         {result['split_recall']:.3f} [{low:.3f}, {high:.3f}] of {result['split_spans']}")


if __name__ == "__main__":
    main()
