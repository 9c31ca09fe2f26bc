"""The whole life of a production LLM as one Dagster asset graph."""

__version__ = "0.1.0"
