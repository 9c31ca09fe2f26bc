"""`python -m llmops_assets.cli`."""

from llmops_assets.cli import main

main()
