"""A release put together: the one place where the parts become the tuple that is named, judged and served."""

from collections.abc import Iterable

from llmops_assets.lib.records import (
    AdapterRef,
    Article,
    EngineModel,
    FileRef,
    GenerationSettings,
    KnowledgeIndexRef,
    PromptRef,
    ReleaseManifest,
    RouterPolicy,
    UseCase,
)

TOKENS_PER_WORD = 1.6
"""Upper estimate for English and small vocabularies."""


def generation_settings(articles: Iterable[Article]) -> GenerationSettings:
    """Greedy decoding with room for the longest known answer, within 48 to 96 tokens."""
    longest = max((len(article.answer.split()) for article in articles), default=30)
    return GenerationSettings(max_tokens=min(96, max(48, int(longest * TOKENS_PER_WORD))))


def assemble(
    use_case: UseCase,
    adapter: AdapterRef,
    adapter_file: FileRef,
    prompt: PromptRef,
    index: KnowledgeIndexRef,
    engine: EngineModel | None,
    generation: GenerationSettings,
) -> ReleaseManifest:
    """The manifest of a candidate."""
    return ReleaseManifest(
        base=adapter.base,
        engine_model=engine.file if engine else None,
        adapter=adapter_file,
        adapter_digest=adapter.digest,
        prompt=prompt,
        knowledge_index=index.file,
        router=index.router,
        generation=generation,
        handover=use_case.handover,
    )


def ablations(candidate: ReleaseManifest) -> dict[str, ReleaseManifest]:
    """Variants of a candidate that show what its parts contribute.

    base: the base model alone. base_with_passages: it generates every answer from what retrieval finds.
    adapter_with_passages: the tuned model does. without_adapter: the whole candidate, but the base model generates
    what is not matched.
    """
    nothing = RouterPolicy(answer_above=1.0, hand_over_below=0.0, passages=0, retrieval=False)
    generating = candidate.router.model_copy(update={"answer_above": 2.0})
    bare = {"adapter": None, "adapter_digest": ""}
    return {
        "base": candidate.model_copy(update={**bare, "knowledge_index": None, "router": nothing}),
        "base_with_passages": candidate.model_copy(update={**bare, "router": generating}),
        "adapter_with_passages": candidate.model_copy(update={"router": generating}),
        "without_adapter": candidate.model_copy(update=bare),
    }
