"""Which release answers."""

from llmops_assets.gateway.errors import UnservableError
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.releases import NoReleaseError, Releases
from llmops_assets.gateway.steps.base import Step


class ChooseRelease(Step):
    """Keep the release of the conversation loaded until the answer is over, whatever is deployed meanwhile."""

    name = "release"

    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    async def run(self, exchange: Exchange) -> None:
        """UnservableError when none is served under that name."""
        use = self._releases.use(exchange.ask.which, exchange.asked.conversation)
        try:
            exchange.serving = await exchange.held.enter_async_context(use)
        except NoReleaseError as error:
            raise UnservableError(f"{error}; deploy one first") from None
