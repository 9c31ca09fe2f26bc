"""The serving process that `deployment` rolls out: an OpenAI-compatible HTTP API in front of an engine. No Dagster."""
