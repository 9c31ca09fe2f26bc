"""Budgets and prices as an installation configures them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

BILLION = 1_000_000_000
"""Parts of the currency that are counted."""
Money = Annotated[float, Field(gt=0, le=1e9)]


class BudgetSettings(BaseModel):
    """Budgets of a day (UTC) in the use case's currency. None: no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    all_per_day: Money | None = Field(None, description="of the whole installation")
    team_per_day: Money | None = Field(None, description="of each owner of keys that `teams` does not name")
    teams: dict[str, Money] = Field({}, description="owner to budget")
    key_per_day: Money | None = Field(None, description="of each key, and subject of tokens, that `keys` does not name")
    keys: dict[str, Money] = Field({}, description="id of a key to budget")

    @property
    def limits(self) -> bool:
        """Whether there is any."""
        return bool(self.all_per_day or self.team_per_day or self.teams or self.key_per_day or self.keys)


class Price(BaseModel):
    """What an engine's tokens cost, in the use case's currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency_per_million_input_tokens: float = Field(0.0, ge=0, le=1e6)
    currency_per_million_output_tokens: float = Field(0.0, ge=0, le=1e6)

    def of(self, read: int, written: int) -> int:
        """Billionths of the currency, rounded up."""
        thousandths = read * round(self.currency_per_million_input_tokens * 1_000_000) + written * round(
            self.currency_per_million_output_tokens * 1_000_000
        )
        return -(-thousandths // 1000)
