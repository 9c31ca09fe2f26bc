"""What is done with every parameter, as docs/gateway.md has it: `python -m llmops_assets.gateway.protocol.table`."""

from collections.abc import Mapping

from llmops_assets.gateway.protocol.batches import FileBody
from llmops_assets.gateway.protocol.fields import Body, treatment
from llmops_assets.gateway.protocol.openapi import ANSWERS

ORDER = ("honoured", "refused", "ignored")


def table(bodies: Mapping[str, type[Body]]) -> str:
    """A Markdown table of the parameters of endpoints: honoured ones first, each with the endpoints that take it."""
    where: dict[tuple[str, str, str], list[str]] = {}
    for endpoint, body in bodies.items():
        for name, field in body.model_fields.items():
            where.setdefault((name, treatment(body, name), field.description or ""), []).append(endpoint)
    rows = sorted(where.items(), key=lambda row: ORDER.index(row[0][1]))
    lines = [f"| `{name}` | {', '.join(found)} | {done} | {note} |" for (name, done, note), found in rows]
    return "\n".join(["| parameter | endpoints | treatment | what it does, or why not |", "|---|---|---|---|", *lines])


def main() -> None:
    """Print the table of all endpoints."""
    bodies = {path.removeprefix("/v1/"): body for path, (body, _, _) in ANSWERS.items()}
    print(table({**bodies, "files": FileBody}))


if __name__ == "__main__":
    main()
