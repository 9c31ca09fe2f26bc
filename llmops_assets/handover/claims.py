"""What an asset claims of its result: each check is stated where it is computed, all are insisted on at the end.

Concept: https://docs.dagster.io/guides/test/asset-checks. The first wall is Dagster's blocking check, the second the
failure raised here: a draft whose claims do not hold is not merged, whatever runs downstream.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from llmops_assets.lib.records import DataTerms


class Claims:
    """The checks of one asset, by the names its `check_specs` declare."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._specs = {spec.name: spec for spec in context.assets_def.check_specs}
        self._stated: dict[str, dict[str, Any]] = {}

    def hold(self, name: str, passed: object, otherwise: str = "", **figures: Any) -> bool:
        """State whether a claim holds; `otherwise` says what is wrong when it does not. KeyError for one undeclared.

        Figures are plain values that JSON has, never a customer's text.
        """
        if name not in self._specs:
            raise KeyError(f"{name} is no declared check: add it to check_specs")
        self._stated[name] = {"passed": bool(passed), "otherwise": "" if passed else otherwise, "figures": figures}
        return bool(passed)

    def hold_terms(self, name: str, refused: Sequence[str], terms: DataTerms) -> bool:
        """State that the terms of the rows allow what is done with them; `refused` are the reasons why not."""
        return self.hold(name, not refused, "; ".join(refused), terms=terms.model_dump(mode="json"))

    def results(self) -> Iterator[dg.AssetCheckResult]:
        """The claims for Dagster. A declared check that was never stated counts as broken."""
        for name, spec in self._specs.items():
            stated = self._stated.get(name, {"passed": False, "otherwise": "was not computed", "figures": {}})
            yield dg.AssetCheckResult(
                passed=stated["passed"],
                check_name=name,
                severity=dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN,
                description=stated["otherwise"] or None,
                metadata={key: _shown(value) for key, value in stated["figures"].items()},
            )

    def insist(self, consequence: str) -> None:
        """Failure, without retries, when a blocking claim does not hold; `consequence` says what that means."""
        broken = [
            f"{name}: {stated['otherwise'] or 'does not hold'}"
            for name, stated in self._stated.items()
            if not stated["passed"] and self._specs[name].blocking
        ]
        broken += [f"{name}: was not computed" for name, s in self._specs.items() if s.blocking and not self._has(name)]
        if broken:
            raise dg.Failure(f"{'; '.join(broken)}. {consequence}", allow_retries=False)

    def stored(self) -> dict[str, dict[str, Any]]:
        """The claims as JSON, for the metadata of the result."""
        return dict(self._stated)

    def restate(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        """State again what was recorded with a result that is kept."""
        for name, claim in stored.items():
            if name in self._specs:
                self._stated[name] = {**claim}

    def _has(self, name: str) -> bool:
        return name in self._stated


def _shown(value: Any) -> Any:
    return dg.MetadataValue.json(value) if isinstance(value, dict | list) else value
