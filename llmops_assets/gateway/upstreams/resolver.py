"""Names of upstreams to addresses that may be reached (premises.py).

Names are resolved again at every connection, so the rule is kept there: what a name meant when the settings were read
says nothing about later (DNS rebinding).
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from llmops_assets.gateway.upstreams.premises import reachable


class Premises(AbstractResolver):
    """Resolves names to the addresses that may be reached; OSError where there is none.

    `own`: only addresses of private networks and of this machine.
    """

    def __init__(self, *, own: bool, resolver: AbstractResolver | None = None) -> None:
        self._own = own
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [one for one in found if reachable(one["host"], own=self._own)]
        if not allowed:
            where = "in the installation's own network" if self._own else "that a server has"
            raise OSError(None, f"{host} has no address {where}")
        return allowed

    async def close(self) -> None:
        """Close the resolver behind it."""
        await self._resolver.close()
