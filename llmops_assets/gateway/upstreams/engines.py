"""The engine of every release, made of what an installation has: its upstreams, or the embedded one alone."""

import time
from collections.abc import Callable, Mapping

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import Engine
from llmops_assets.gateway.upstreams.health import Healths
from llmops_assets.gateway.upstreams.pool import Member, Pool
from llmops_assets.gateway.upstreams.premises import addresses_elsewhere
from llmops_assets.gateway.upstreams.remote import RemoteEngine
from llmops_assets.gateway.upstreams.settings import UpstreamConfigError, UpstreamSettings


class Engines:
    """Makes engines; `healths` is how their upstreams do. Keys are taken from `environment` now.

    UpstreamConfigError where a key is not there, or where an upstream's name leads out of the network that it must
    stay in.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        embedded: Callable[[Bundle], Engine],
        environment: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._embedded = embedded
        self._keys: dict[str, str] = {}
        for one in settings.upstreams:
            self._keys[one.name] = environment.get(one.variable, "").strip() if one.variable else ""
            if one.variable and not self._keys[one.name]:
                raise UpstreamConfigError(f"upstream {one.name} needs its key in the environment: set {one.variable}")
            if not one.embedded and settings.kept_here(one) and (away := addresses_elsewhere(one.host)):
                raise UpstreamConfigError(
                    f"upstream {one.name} stands at {one.host} ({away[0]}), and the use case says "
                    "data_must_stay_on_premises: take one in your own network, or say `may_leave_premises: true` for it"
                )
        self.healths = Healths(settings.upstreams, settings.policy, clock)

    @property
    def weightless(self) -> bool:
        """Whether others have all models, and the embedded engine is not asked."""
        upstreams = self._settings.upstreams
        return bool(upstreams) and not any(one.embedded for one in upstreams)

    def __call__(self, bundle: Bundle) -> Engine:
        """The engine of a release, not started. UpstreamConfigError where no upstream has a name for its model."""
        members: list[Member] = []
        unnamed = ""
        for one in self._settings.upstreams:
            if one.embedded:
                members.append(Member(self._embedded(bundle), self.healths[one.name]))
                continue
            try:
                model = one.model_of(bundle.manifest)
            except UpstreamConfigError as error:
                unnamed = str(error)
                continue
            own_network = self._settings.kept_here(one)
            engine = RemoteEngine(one, model, key=self._keys[one.name], own_network=own_network)
            members.append(Member(engine, self.healths[one.name]))
        if unnamed and not members:
            raise UpstreamConfigError(unnamed)
        return Pool(members, self._settings.policy) if members else self._embedded(bundle)
