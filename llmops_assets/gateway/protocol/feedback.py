"""`POST /v1/feedback`: what came of an answer. Not OpenAI's, which has none."""

from typing_extensions import TypedDict

from llmops_assets.gateway.protocol.fields import Body, honoured

MOST_CHARACTERS = 8000


class FeedbackBody(Body):
    """Feedback on an interaction: a rating, a reason, a corrected answer."""

    interaction: str = honoured(
        "`llmops.interaction` of the answer, also its header x-interaction-id", ..., max_length=64
    )
    rating: int | None = honoured("-1, 0 or 1; without it 0", ge=-1, le=1)
    reason: str | None = honoured("why; stored without personal data", max_length=MOST_CHARACTERS)
    correction: str | None = honoured(
        "the answer as it should have been; stored without personal data", max_length=MOST_CHARACTERS
    )
    user: str | None = honoured("who was answered: feedback for somebody else's interaction is refused", max_length=512)


class Stored(TypedDict):
    """Feedback was written."""

    stored: bool
