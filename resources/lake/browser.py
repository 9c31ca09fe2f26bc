"""A lake's web page for people: tags, commits with what they changed, objects to read. Nothing here writes.

Reports that were published as HTML are shown as they are, without access to this page's origin; tables show their
first rows. On lakeFS this page is not needed: the server has its own.
"""

import io
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from llmops_assets.lib import html
from resources.lake.base import Commit, GoneError, InvalidNameError, Lake, NotFoundError

COMMITS = 200
ROWS = 100
TEXTS = {".json": "application/json", ".jsonl": "text/plain", ".yaml": "text/plain", ".txt": "text/plain"}
LARGEST_SHOWN = 32 << 20
"""Bytes of an object that are read to show it; larger ones are only offered for download."""


def create_app(lake: Lake, *, dagster: str = "") -> Starlette:
    """The application; `dagster` is the address of the UI that runs and assets named in commits link to."""

    def link(commit: str, path: str = "") -> str:
        return f"/object/{commit}/{quote(path)}" if path else f"/commit/{commit}"

    def metadata(commit: Commit) -> list[list[object]]:
        rows: list[list[object]] = []
        for key, value in sorted(commit.metadata.items()):
            target = f"{dagster}/runs/{value}" if key == "dagster_run" and dagster else ""
            if key == "asset" and dagster:
                target = f"{dagster}/assets/{value}"
            rows.append([key, html.Link(value, target) if target else value])
        return rows

    def index(_: Request) -> Response:
        tags = [[html.Link(name, link(commit)), commit] for name, commit in sorted(lake.tags().items())]
        commits = [
            [html.Link(c.message or c.id[:12], link(c.id)), c.metadata.get("asset", ""), f"{c.time:%Y-%m-%d %H:%M:%S}"]
            for c in lake.log("main", limit=COMMITS)
            # Each publication is one merge; the writer's own commit behind it says the same.
            if len(c.parents) != 1
        ]
        return HTMLResponse(
            html.page(
                f"Lake {lake.scheme}://{lake.repository}",
                html.paragraph("Published data, adapters, reports, gate decisions, releases and deployments."),
                html.heading("Objects"),
                html.table(["path"], [[html.Link("all objects of main", "/tree/main")]]),
                html.heading("Tags"),
                html.table(["tag", "commit"], tags),
                html.heading("Commits"),
                html.table(["commit", "asset", "time (UTC)"], commits),
            )
        )

    def tree(request: Request) -> Response:
        commit = lake.resolve(request.path_params["ref"])
        prefix = request.query_params.get("prefix", "")
        rows = [
            [html.Link(stat.path, link(commit, stat.path)), stat.size, stat.sha256[:12]]
            for stat in lake.list(commit, prefix)
        ]
        return HTMLResponse(html.page(f"Objects at {commit[:12]}", html.table(["path", "bytes", "sha256"], rows)))

    def commit_page(request: Request) -> Response:
        commit = next(iter(lake.log(request.path_params["commit"], limit=1)))
        changes = lake.diff(commit.parents[0], commit.id) if commit.parents else ()
        rows = [
            [c.kind, c.path if c.kind == "removed" else html.Link(c.path, link(commit.id, c.path))] for c in changes
        ]
        return HTMLResponse(
            html.page(
                commit.message or commit.id,
                html.table(
                    ["key", "value"],
                    [["commit", commit.id], ["time (UTC)", f"{commit.time:%Y-%m-%d %H:%M:%S}"], *metadata(commit)],
                ),
                html.heading("Changes"),
                html.table(["change", "path"], rows),
                html.table(["parent"], [[html.Link(parent, link(parent))] for parent in commit.parents]),
                html.table(["all objects"], [[html.Link("at this commit", f"/tree/{commit.id}")]]),
            )
        )

    def object_page(request: Request) -> Response:
        commit, path = request.path_params["commit"], request.path_params["path"]
        try:
            stat = lake.stat(commit, path)
        except NotFoundError:
            inside = list(lake.list(commit, f"{path}/"))
            if not inside:
                raise
            rows = [[html.Link(s.path, link(commit, s.path)), s.size] for s in inside]
            return HTMLResponse(html.page(path, html.table(["path", "bytes"], rows)))
        suffix = f".{path.rsplit('.', 1)[-1]}" if "." in path else ""
        if suffix in (".html", ".parquet", *TEXTS) and stat.size <= LARGEST_SHOWN:
            data = lake.get(commit, path)
            if suffix == ".html":
                # A report's scripts may draw, but not reach this page, its cookies or the network.
                policy = "sandbox allow-scripts; connect-src 'none'"
                return HTMLResponse(data, headers={"content-security-policy": policy})
            if suffix == ".parquet":
                return HTMLResponse(_table_page(path, data))
            return Response(data, media_type=f"{TEXTS[suffix]}; charset=utf-8")
        name = quote(path.rsplit("/", 1)[-1])
        opened = lake.open(commit, path)
        return StreamingResponse(
            iter(lambda: opened.read(1 << 20), b""),
            media_type="application/octet-stream",
            headers={"content-length": str(stat.size), "content-disposition": f"attachment; filename*=UTF-8''{name}"},
        )

    def missing(_: Request, error: Exception) -> Response:
        status = 410 if isinstance(error, GoneError) else 404
        return HTMLResponse(html.page("Not here", html.paragraph(str(error))), status_code=status)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/tree/{ref}", tree),
            Route("/commit/{commit}", commit_page),
            Route("/object/{commit}/{path:path}", object_page),
        ],
        exception_handlers=dict.fromkeys((NotFoundError, GoneError, InvalidNameError), missing),
    )


def _table_page(path: str, data: bytes) -> str:
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(io.BytesIO(data))
    columns = file.schema_arrow.names
    batch = next(file.iter_batches(batch_size=ROWS), None)
    rows = [[row[c] if row[c] is not None else "" for c in columns] for row in batch.to_pylist()] if batch else []
    count = file.metadata.num_rows
    return html.page(
        path, html.paragraph(f"{count} rows; the first {min(ROWS, count)} are shown."), html.table(columns, rows)
    )
