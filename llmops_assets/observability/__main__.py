"""Make the dashboard's JSON anew: `python -m llmops_assets.observability`."""

from pathlib import Path

from llmops_assets.observability.dashboard import FILE, text

if __name__ == "__main__":
    (Path(__file__).parent / "dashboards" / FILE).write_text(text())
