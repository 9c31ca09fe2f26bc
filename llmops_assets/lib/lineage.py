"""A lineage graph: what came from what, found by any of its names, as text, JSON, Graphviz or a drawn page.

Nothing here reads a system: lineage.py beside the graph's definitions collects the nodes from Dagster, lake, MLflow
and the interaction log.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from llmops_assets.lib import html
from llmops_assets.lib.errors import LlmopsError

MIN_PREFIX = 8
"""Characters from which on the beginning of a name is enough, if only one begins so."""
LINE = 28
"""Characters that fit a box."""
COLUMN, ROW, BOX_WIDTH, BOX_HEIGHT = 270, 62, 220, 44


class NoSuchNameError(LlmopsError, LookupError):
    """Nothing has that name, or too much begins with it; the message says what to do."""


@dataclass(frozen=True)
class Node:
    """One thing that was made: `kind` says of what sort, `about` what is known of it, `links` where to look."""

    id: str
    kind: str
    title: str
    about: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


class Lineage:
    """Nodes, their names, and which came from which."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._sources: dict[str, set[str]] = defaultdict(set)
        self._results: dict[str, set[str]] = defaultdict(set)
        self._names: dict[str, set[str]] = defaultdict(set)

    def add(self, node: Node, names: Iterable[str] = ()) -> None:
        """Add a node, to be found by its id and these names."""
        self.nodes[node.id] = node
        for name in {node.id, *names} - {""}:
            self._names[name].add(node.id)

    def connect(self, source: str, result: str) -> None:
        """Say that `result` came from `source`; an id that is not known is left out of every answer."""
        self._sources[result].add(source)
        self._results[source].add(result)

    def knows(self, name: str) -> bool:
        """Whether something has exactly that name."""
        return name in self._names

    def find(self, name: str) -> list[Node]:
        """The nodes of a name, or of the one name that begins so. NoSuchNameError."""
        if name in self._names:
            return [self.nodes[found] for found in sorted(self._names[name], key=_order)]
        longer = {known for known in self._names if known.startswith(name)} if len(name) >= MIN_PREFIX else set()
        found = {frozenset(self._names[known]) for known in longer}
        if len(found) == 1:
            return [self.nodes[one] for one in sorted(found.pop(), key=_order)]
        if found:
            raise NoSuchNameError(f"{len(longer)} names begin with {name!r}: give more of it")
        raise NoSuchNameError(
            f"nothing is called {name!r}: give an answer's id, a release, an adapter's hash, a dataset's tag, a lake "
            "commit, ref or path, an MLflow or Dagster run, an asset, or a subject's pseudonym"
        )

    def sources(self, start: Iterable[str]) -> dict[str, int]:
        """Everything that the start came from, with its distance, nearest first."""
        return self._reached(start, self._sources)

    def results(self, start: Iterable[str]) -> dict[str, int]:
        """Everything that came of the start, with its distance, nearest first."""
        return self._reached(start, self._results)

    def edges(self, within: Iterable[str]) -> list[tuple[str, str]]:
        """(source, result) pairs among some nodes."""
        chosen = set(within)
        return sorted((source, result) for result in chosen for source in self._sources[result] & chosen)

    def _reached(self, start: Iterable[str], steps: Mapping[str, set[str]]) -> dict[str, int]:
        distance = dict.fromkeys(start, 0)
        first, queue = set(distance), deque(distance)
        while queue:
            here = queue.popleft()
            for there in sorted(steps.get(here, ()), key=_order):
                if there in self.nodes and there not in distance:
                    distance[there] = distance[here] + 1
                    queue.append(there)
        return {node: steps_away for node, steps_away in distance.items() if node not in first}


def to_text(lineage: Lineage, start: Sequence[Node]) -> str:
    """The start, what it came from and what came of it; the indent is the distance."""
    ids = [node.id for node in start]
    lines = [_line(node) for node in start]
    for heading, reached in (("came from", lineage.sources(ids)), ("came of it", lineage.results(ids))):
        lines.append(f"{heading}:" if reached else f"{heading}: nothing")
        lines += [f"{'  ' * distance}{_line(lineage.nodes[node])}" for node, distance in reached.items()]
    return "\n".join(lines)


def to_json(lineage: Lineage, start: Sequence[Node]) -> dict[str, object]:
    """Nodes and edges around the start, for machines."""
    ids = [node.id for node in start]
    chosen = [*ids, *lineage.sources(ids), *(n for n in lineage.results(ids) if n not in lineage.sources(ids))]
    return {
        "start": ids,
        "came_from": list(lineage.sources(ids)),
        "came_of_it": list(lineage.results(ids)),
        "nodes": {
            node: {
                "kind": lineage.nodes[node].kind,
                "title": lineage.nodes[node].title,
                "about": dict(lineage.nodes[node].about),
                "links": dict(lineage.nodes[node].links),
            }
            for node in chosen
        },
        "edges": [list(edge) for edge in lineage.edges(chosen)],
    }


def to_dot(lineage: Lineage, start: Sequence[Node]) -> str:
    """A Graphviz drawing of what is around the start (https://graphviz.org/doc/info/lang.html)."""
    ids, chosen = _around(lineage, start)
    lines = ["digraph lineage {", "  rankdir=LR; node [shape=box, style=rounded, fontname=sans];"]
    for node in chosen:
        shown = lineage.nodes[node]
        bold = ", penwidth=3" if node in ids else ""
        lines.append(f"  {_quoted(node)} [label={_quoted(shown.title)}, tooltip={_quoted(shown.kind)}{bold}];")
    lines += [f"  {_quoted(source)} -> {_quoted(result)};" for source, result in lineage.edges(chosen)]
    return "\n".join([*lines, "}", ""])


def to_html(lineage: Lineage, start: Sequence[Node]) -> str:
    """A page with the drawing, sources to the left, and a table of all that is known of each node."""
    ids, chosen = _around(lineage, start)
    edges = lineage.edges(chosen)
    place = _layout(chosen, edges)
    width = max(x for x, _ in place.values()) + BOX_WIDTH + 20
    height = max(y for _, y in place.values()) + BOX_HEIGHT + 20
    lines = []
    for source, result in edges:
        (x, y), (to_x, to_y) = place[source], place[result]
        x, y, to_y, middle = x + BOX_WIDTH, y + BOX_HEIGHT / 2, to_y + BOX_HEIGHT / 2, (x + BOX_WIDTH + to_x) / 2
        lines.append(f'<path d="M{x},{y} C{middle},{y} {middle},{to_y} {to_x},{to_y}" fill="none" stroke="#8fa1b5"/>')
    for node in chosen:
        (x, y), shown = place[node], lineage.nodes[node]
        first, second = (shown.title, shown.kind) if len(shown.title) <= LINE else _two_lines(shown.title)
        mark = ' stroke="#1d4ed8" stroke-width="3"' if node in ids else ' stroke="#5b6b7d"'
        lines.append(
            f'<g><title>{escape(_line(shown))}</title><rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" '
            f'rx="6" fill="#f7f9fc"{mark}/><text x="{x + 10}" y="{y + 19}">{escape(_short(first))}</text>'
            f'<text x="{x + 10}" y="{y + 36}" fill="#5b6b7d" font-size="11">{escape(_short(second))}</text></g>'
        )
    drawing = (
        f'<div style="overflow-x:auto;margin:0 calc(50% - 48vw)"><svg width="{width}" height="{height}" '
        f'font-family="system-ui,sans-serif" font-size="13">{"".join(lines)}</svg></div>'
    )
    rows = []
    for node in chosen:
        shown = lineage.nodes[node]
        about = ", ".join(f"{key} {value}" for key, value in shown.about.items())
        name, target = next(iter(shown.links.items()), ("", ""))
        rows.append([shown.title, shown.kind, about, html.Link(name, target) if target else ""])
    title = "Lineage of " + ", ".join(node.title for node in start[:3])
    return html.page(title, drawing, html.table(["what", "kind", "known", "look"], rows))


def _around(lineage: Lineage, start: Sequence[Node]) -> tuple[set[str], list[str]]:
    ids = [node.id for node in start]
    chosen = dict.fromkeys([*ids, *lineage.sources(ids), *lineage.results(ids)])
    return set(ids), sorted(chosen, key=_order)


def _layout(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Positions: the column is the longest way from a source, the row follows the mean row of the sources."""
    sources: dict[str, list[str]] = defaultdict(list)
    results: dict[str, list[str]] = defaultdict(list)
    for source, result in edges:
        sources[result].append(source)
        results[source].append(result)
    column: dict[str, int] = dict.fromkeys(nodes, 0)
    waiting = {node: len(sources[node]) for node in nodes}
    ready = deque(node for node in nodes if not waiting[node])
    while ready:
        node = ready.popleft()
        for result in results[node]:
            column[result] = max(column[result], column[node] + 1)
            waiting[result] -= 1
            if not waiting[result]:
                ready.append(result)
    row: dict[str, float] = {}
    place = {}
    for number in range(max(column.values(), default=0) + 1):
        members = [node for node in nodes if column[node] == number]
        wanted = {n: sum(row[s] for s in sources[n]) / len(sources[n]) if sources[n] else 0.0 for n in members}
        for position, node in enumerate(sorted(members, key=lambda n: (wanted[n], _order(n)))):
            row[node] = position
            place[node] = (20 + number * COLUMN, 20 + position * ROW)
    return place


def _line(node: Node) -> str:
    about = ", ".join(f"{key} {value}" for key, value in node.about.items())
    return f"{node.title} ({node.kind})" + (f": {about}" if about else "")


def _two_lines(text: str) -> tuple[str, str]:
    first, _, second = text.partition(" ")
    return first, second


def _short(text: str) -> str:
    return text if len(text) <= LINE else text[: LINE - 1] + "…"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _order(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (1 << 60, name)
