"""The guards of one release: its policy over what the modules beside this one find."""

from collections.abc import Iterator, Sequence

from llmops_assets.lib.guarding import injection, prompts, secrets, topics, toxicity
from llmops_assets.lib.guarding.table import THRESHOLDS, Finding, Place
from llmops_assets.lib.records import GuardPolicy, ReleaseManifest

MOST_KEPT = 2000
"""Articles of which the text for the model is kept."""
SECRET_TOLD = "<SECRET_"
"""How redaction leaves a secret that a customer told."""


class Guards:
    """What is found in a release's questions, articles and answers, as its policy has it looked for.

    Texts are redacted before they come here. Safe for several threads.
    """

    def __init__(self, policy: GuardPolicy, prompt: str) -> None:
        self.policy = policy
        self._prompt = prompt
        self._articles: dict[str, str] = {}
        # Read now, so that the first customer does not wait for it.
        for rule, module in ((policy.injection, injection), (policy.topics, topics), (policy.toxicity, toxicity)):
            if rule is not None:
                module.model()
        if policy.passages is not None:
            injection.model()

    @classmethod
    def of(cls, manifest: ReleaseManifest) -> "Guards":
        """The guards of a release; one from before there were guards has none."""
        return UNGUARDED if manifest.guards is None else cls(manifest.guards, manifest.prompt.template)

    def question(self, text: str) -> list[Finding]:
        """What is found in a question."""
        found = [*self._injected(text, "question")]
        rule = self.policy.topics
        if rule is not None:
            topic, likely = topics.likely(text, rule.topics)
            if likely >= (rule.threshold or THRESHOLDS["topics"]) or topics.named(text, rule.own):
                urgent = topic in topics.URGENT and likely >= (rule.threshold or THRESHOLDS["topics"])
                # Nobody in danger is turned away.
                action = "hand_over" if urgent and rule.action == "refuse" else rule.action
                found.append(Finding("topics", "question", action))
        if self.policy.secrets is not None and SECRET_TOLD in text:
            found.append(Finding("secrets", "question", "mask"))
        return found

    def urgent(self, text: str) -> bool:
        """Whether a person must answer a question whatever else would."""
        rule = self.policy.topics
        if rule is None or rule.action == "note":
            return False
        names = topics.URGENT.intersection(rule.topics)
        return topics.likely(text, names)[1] >= (rule.threshold or THRESHOLDS["topics"])

    def history(self, texts: Sequence[str]) -> list[Finding]:
        """What is found in the turns before a question, which its sender may have made up."""
        return list(dict.fromkeys(finding for text in texts for finding in self._injected(text, "history")))

    def asked(self, text: str) -> str:
        """A question or a turn before it as the model reads it: without instructions, where the policy masks them."""
        rule = self.policy.injection
        if rule is None or rule.action != "mask":
            return text
        return injection.without(text, rule.threshold or THRESHOLDS["injection"])

    def article(self, text: str) -> str:
        """An article as the model reads it: without instructions, where the policy masks them."""
        rule = self.policy.passages
        if rule is None or rule.action == "note":
            return text
        if text not in self._articles:
            if len(self._articles) >= MOST_KEPT:
                self._articles.clear()
            self._articles[text] = injection.without(text, rule.threshold or THRESHOLDS["passages"])
        return self._articles[text]

    def answer(self, text: str) -> list[Finding]:
        """What is found in a text that the model wrote."""
        policy, found = self.policy, []
        rule = policy.toxicity
        if rule is not None and toxicity.likely(text) >= (rule.threshold or THRESHOLDS["toxicity"]):
            found.append(Finding("toxicity", "answer", rule.action))
        if policy.secrets is not None and secrets.found(text):
            found.append(Finding("secrets", "answer", policy.secrets.action))
        if policy.prompt is not None and prompts.quotes(text, self._prompt):
            found.append(Finding("prompt", "answer", policy.prompt.action))
        return found

    def _injected(self, text: str, place: Place) -> Iterator[Finding]:
        rule = self.policy.injection
        if rule is not None and injection.likely(text) >= (rule.threshold or THRESHOLDS["injection"]):
            yield Finding("injection", place, rule.action)


UNGUARDED = Guards(
    GuardPolicy(injection=None, passages=None, topics=None, toxicity=None, secrets=None, prompt=None), prompt=""
)
"""Those of a release that was made before there were guards, or without them."""
