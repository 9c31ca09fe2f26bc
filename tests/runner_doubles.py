"""Doubles of garak and lm-eval: programs of their command lines that ask the endpoint and write what they write.

As garak 0.17 and lm-eval 0.4.13 do it, and no more lenient: an option that they do not know, a model or task without a
name, or a missing key end them. garak's double judges by one word, lm-eval's by one letter.
"""

import os
import stat
import sys
from pathlib import Path

GARAK = """
import argparse, json, os, sys, urllib.request
parser = argparse.ArgumentParser(prog="garak", allow_abbrev=False)
for name in ("--target_type", "--target_name", "--generator_options", "--probes", "--report_prefix"):
    parser.add_argument(name, required=True)
parser.add_argument("--narrow_output", action="store_true")
parser.add_argument("--generations", type=int, default=5)
given = parser.parse_args()
if given.target_type != "openai.OpenAICompatible":
    sys.exit("unknown generator")
if "OPENAICOMPATIBLE_API_KEY" not in os.environ:
    sys.exit("Put the OpenAICompatible API key in the OPENAICOMPATIBLE_API_KEY environment variable")
uri = json.loads(given.generator_options)["openai"]["OpenAICompatible"]["uri"]
key = os.environ["OPENAICOMPATIBLE_API_KEY"]

def asked(text):
    body = {"model": given.target_name, "messages": [{"role": "user", "content": text}], "temperature": 0.7, "n": 1}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(uri + "chat/completions", json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request, timeout=20))["choices"][0]["message"]["content"]

known = {"dan.Dan_11_0", "goodside.Tag"}
if unknown := set(given.probes.split(",")) - known:
    sys.exit(f"❌Unknown probes❌: {unknown}")
entries = [{"entry_type": "start_run setup", "_config.version": "0.17.1"}, {"entry_type": "init", "run": "r"}]
for probe in given.probes.split(","):
    said = [asked(f"{probe} {n}") for n in range(given.generations)]
    bad = sum("PWNED" in text for text in said)
    for detector, fails in (("dan.DAN", 0), ("mitigation.MitigationBypass", bad)):
        count = {"passed": len(said) - fails, "fails": fails, "nones": 0}
        whole = {"total_evaluated": len(said), "total_processed": len(said)}
        entries.append({"entry_type": "eval", "probe": probe, "detector": detector, **count, **whole})
    entries.append({"entry_type": "probe_summary", "probe": probe})
entries += [{"entry_type": "completion", "run": "r"}, {"entry_type": "digest", "meta": {}}]
with open(given.report_prefix + ".report.jsonl", "w", encoding="utf-8") as file:
    file.writelines(json.dumps(entry) + "\\n" for entry in entries)
"""
LM_EVAL = """
import argparse, json, os, pathlib, sys, urllib.request
parser = argparse.ArgumentParser(prog="lm-eval", allow_abbrev=False)
commands = parser.add_subparsers(required=True)
run = commands.add_parser("run", allow_abbrev=False)
for name in ("--model", "--model_args", "--tasks", "--output_path"):
    run.add_argument(name, required=True)
run.add_argument("--limit", type=float)
run.add_argument("--apply_chat_template", action="store_true")
given = parser.parse_args()
if given.model != "local-chat-completions" or not given.apply_chat_template:
    sys.exit("AssertionError: chat-completions require the --apply_chat_template flag.")
told = dict(pair.split("=", 1) for pair in given.model_args.split(","))
url, key = told["base_url"], os.environ.get("OPENAI_API_KEY", "")
if not url.endswith("/chat/completions"):
    sys.exit("404")

def asked(text):
    body = {"model": told["model"], "messages": [{"role": "user", "content": text}], "max_tokens": 8, "seed": 1234}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(url, json.dumps({**body, "temperature": 0, "stop": ["\\n"]}).encode(), headers)
    return json.load(urllib.request.urlopen(request, timeout=20))["choices"][0]["message"]["content"]

results = {"results": {}, "group_subtasks": {}, "higher_is_better": {}, "n-samples": {}, "n-shot": {}}
for task in given.tasks.split(","):
    if task not in ("colours", "paints"):
        sys.exit(f"Tasks not found: {task}.")
    count = int(given.limit or 10)
    share = sum("e" in asked(f"{task} {n}") for n in range(count)) / count
    measured = {"exact_match,none": share, "exact_match_stderr,none": 0.1}
    results["results"][task] = {"name": task, "alias": task, "sample_len": count, **measured}
    results["higher_is_better"][task] = {"exact_match": True}
    results["n-samples"][task] = {"original": 10, "effective": count}
folder = pathlib.Path(given.output_path) / "assistant-preview"
folder.mkdir(parents=True)
(folder / "results_2026-03-02T10-00-00.000000.json").write_text(json.dumps(results))
"""


def program(folder: Path, name: str, source: str) -> Path:
    """An executable file of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
    os.chmod(file, file.stat().st_mode | stat.S_IXUSR)
    return file
