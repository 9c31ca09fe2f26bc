"""What lies at an address of the lake, parsed: articles, eval items, rows."""

from llmops_assets.lib import evalsuite, tables
from llmops_assets.lib.corpus.articles import from_jsonl
from llmops_assets.lib.records import Article, EvalItem, LakeRef
from resources.lake.base import Lake


def read_articles(lake: Lake, ref: LakeRef) -> tuple[Article, ...]:
    """The articles of a published knowledge base."""
    return from_jsonl(lake.read(ref))


def read_suite(lake: Lake, ref: LakeRef) -> list[EvalItem]:
    """The items of a published eval suite."""
    return evalsuite.from_jsonl(lake.read(ref))


def read_rows(lake: Lake, ref: LakeRef) -> list[dict]:
    """The rows of a Parquet file."""
    return tables.from_parquet(lake.read(ref))
