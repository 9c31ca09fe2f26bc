"""A release put together: the one place where the parts become the tuple that is named, judged and served."""

from collections.abc import Iterable

from llmops_assets.lib.records import (
    Article,
    Candidate,
    FileRef,
    GenerationSettings,
    KnowledgeIndexRef,
    ModelRef,
    PromptRef,
    ReleaseManifest,
    RouterPolicy,
    TunedModel,
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
    base: ModelRef,
    tuned: TunedModel | None,
    prompt: PromptRef,
    index: KnowledgeIndexRef,
    base_engine: FileRef | None,
    generation: GenerationSettings,
) -> ReleaseManifest:
    """The manifest of a candidate. A student takes the place of the base model's file, an adapter stands beside it."""
    adapter = tuned if tuned is not None and tuned.kind == "adapter" else None
    student = tuned if tuned is not None and tuned.kind == "model" else None
    return ReleaseManifest(
        base=base,
        engine_model=student.engine_file if student else base_engine,
        adapter=adapter.engine_file if adapter else None,
        adapter_digest=adapter.digest if adapter else "",
        prompt=prompt,
        knowledge_index=index.file,
        router=index.router,
        generation=generation,
        handover=use_case.handover,
        language=use_case.language,
        replies=use_case.replies,
        ai_notice=use_case.ai_notice,
        guards=use_case.guards,
    )


def alone(manifest: ReleaseManifest) -> ReleaseManifest:
    """A release whose model answers everything by itself: no articles, no thresholds, no guards."""
    nothing = RouterPolicy(answer_above=1.0, hand_over_below=0.0, passages=0, retrieval=False)
    return manifest.model_copy(update={"knowledge_index": None, "router": nothing, "guards": None})


def ablations(candidate: Candidate) -> dict[str, ReleaseManifest]:
    """Variants of a candidate that show what its parts contribute.

    base: the base model alone. base_with_passages: it generates every answer from what retrieval finds.
    adapter_with_passages: the tuned model does. without_adapter: the whole candidate, but the base model generates
    what is not matched. Without a tuned model only the first two say something.
    """
    manifest = candidate.manifest
    generating = manifest.router.model_copy(update={"answer_above": 2.0})
    bare = {"adapter": None, "adapter_digest": "", "engine_model": candidate.base_engine}
    variants = {
        "base": alone(manifest).model_copy(update={**bare, "guards": manifest.guards}),
        "base_with_passages": manifest.model_copy(update={**bare, "router": generating}),
    }
    if candidate.tuned is not None:
        variants["adapter_with_passages"] = manifest.model_copy(update={"router": generating})
        variants["without_adapter"] = manifest.model_copy(update=bare)
    return variants
