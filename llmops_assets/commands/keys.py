"""The gateway's API keys: made, listed, rotated, revoked; every act stands in the audit log."""

import contextlib
import json
from collections.abc import Generator
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from llmops_assets.gateway.identity.keys import KeyStore, listed
from llmops_assets.gateway.identity.quotas import Allowance
from llmops_assets.gateway.interaction_log import InteractionLog
from resources import home_folder
from resources.workspace import Workspace


@contextlib.contextmanager
def _opened() -> Generator[tuple[KeyStore, InteractionLog]]:
    """The keys and the log of this installation."""
    workspace = Workspace(home_folder())
    workspace.home.mkdir(parents=True, exist_ok=True)
    log, store = InteractionLog(workspace.log_url), KeyStore(workspace.log_url)
    try:
        yield store, log
    finally:
        store.close()
        log.close()


def create(owner: str, role: str, days: int | None, allowance: Allowance, console: Console) -> None:
    """Make a key and show its token, this once."""
    with _opened() as (store, log):
        key, token = store.create(owner, role, days=days, allowance=allowance)
        log.audit("key created", json.dumps({"key": key.id, "owner": key.owner, "role": key.role}))
    console.print(
        f"key {key.id} for {key.owner} ({key.role}); its token is shown this once:", highlight=False, markup=False
    )
    print(token)


def show(console: Console) -> None:
    """All keys, without their secrets."""
    with _opened() as (store, _):
        rows = listed(store.keys(), datetime.now(UTC))
    if not rows:
        console.print("There is no key: the gateway lets everybody in who reaches it from this machine.")
        return
    table = Table("id", "owner", "role", "made on", "state", "limits")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def revoke(name: str, console: Console) -> None:
    """End a key within seconds."""
    with _opened() as (store, log):
        key = store.revoke(name)
        log.audit("key revoked", json.dumps({"key": key.id, "owner": key.owner}))
    console.print(f"{key.id} opens nothing any more")


def rotate(name: str, hours: float, console: Console) -> None:
    """Make a key's successor and show its token; the old one ends after some hours."""
    with _opened() as (store, log):
        key, token = store.rotate(name, hours=hours)
        log.audit("key rotated", json.dumps({"key": name, "successor": key.id, "owner": key.owner}))
    console.print(f"key {key.id} follows {name}, which ends in {hours:g} hours; its token is shown this once:")
    print(token)
