"""The guards in and out: what is asked before anything reads it, what the model reads, what the model wrote.

What they look for is in lib/guarding, what is done about it in the release's policy. A published article needs no
guard against an injection: it answers the same whatever else the question says. So a finding in the question is noted
at once and heeded where the model would answer.
"""

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.guarding import Finding
from llmops_assets.lib.guarding.secrets import masked


class GuardQuestion(Step):
    """Look at the question; hand over at once where a person is in danger."""

    name = "guard_question"

    async def run(self, exchange: Exchange) -> None:
        """Fill `findings`, and the answer where it cannot wait."""
        guards = exchange.release.guards
        for finding in guards.question(exchange.asked.text):
            exchange.found(finding)
        if any(found.guard == "topics" for found in exchange.findings) and guards.urgent(exchange.asked.text):
            exchange.hand_over()


class HeedQuestion(Step):
    """Where the model is to answer: do what the policy says about the question and the turns before it."""

    name = "heed_question"

    async def run(self, exchange: Exchange) -> None:
        """Leave it to the model, which reads it as `Guards.asked` gives it, or answer in its place."""
        if exchange.path != "generated":
            return
        guards, before = exchange.release.guards, [said.text for said in exchange.read_before]
        if exchange.heed([*exchange.findings, *guards.history(before)]):
            return
        if not guards.asked(exchange.asked.text):
            exchange.hand_over()


class GuardAnswer(Step):
    """Look at what the model wrote, before any of it is sent. Published answers were looked at when they were built."""

    name = "guard_answer"

    async def run(self, exchange: Exchange) -> None:
        """Leave the answer, take out of it what was found, or replace it."""
        if exchange.path != "generated":
            return
        draft = exchange.draft or ""
        findings = exchange.release.guards.answer(draft)
        if not exchange.heed(findings) and Finding("secrets", "answer", "mask") in findings:
            exchange.draft = masked(draft)
