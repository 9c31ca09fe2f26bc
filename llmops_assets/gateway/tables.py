"""The tables of gateways as this version wants them, before its pods begin: `python -m llmops_assets.gateway.tables`.

Every store makes its tables when it is opened, and gives those of an earlier version the columns that they lack: only
ever more, with defaults, so gateways of the version before go on writing. What they are is in the stores.
"""

import argparse

from llmops_assets.gateway.batching.store import FileStore
from llmops_assets.gateway.identity.keys import KeyStore
from llmops_assets.gateway.identity.ledger import Ledger
from llmops_assets.gateway.interaction_log import InteractionLog


def bring_up(url: str) -> None:
    """Open every store of a SQLAlchemy URL once. sqlalchemy.exc.DBAPIError where the database refuses."""
    log = InteractionLog(url)
    FileStore(log.database)
    for store in (log, KeyStore(url), Ledger(url)):
        store.close()


def main() -> None:
    """Bring up the tables of the URL that is named."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("url", help="SQLAlchemy URL of the interaction log")
    bring_up(parser.parse_args().url)


if __name__ == "__main__":
    main()
