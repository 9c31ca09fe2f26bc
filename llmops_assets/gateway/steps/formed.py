"""No answer in another form than its caller reads."""

import json

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step


class Formed(Step):
    """Hand over where JSON was asked for and is none any more, since the guards before have changed its text, or does
    not fit its schema, which an upstream need not be held to.

    One that a limit of tokens cut stays: its end says so.
    """

    name = "formed"

    async def run(self, exchange: Exchange) -> None:
        """Leave the answer, or let a person answer."""
        if not exchange.ask.wishes.grammar or exchange.path != "generated" or exchange.cut:
            return
        if not _fits(exchange.draft or "", exchange.ask.wishes.form):
            exchange.hand_over()


def _fits(text: str, form: str) -> bool:
    """Whether a text is JSON of a form."""
    import jsonschema

    schema = (json.loads(form) if form else {}).get("json_schema", {}).get("schema", {"type": "object"})
    try:
        jsonschema.validate(json.loads(text), schema)
    except (ValueError, jsonschema.ValidationError):
        return False
    return True
