"""Which requests schemathesis is not to send: what a JSON schema of a caller may hold has limits that OpenAPI's own
JSON schemas cannot say (tests/gateway/test_formats.py)."""

import schemathesis


@schemathesis.hook
def filter_body(context, body) -> bool:
    """Whether a body asks for no schema, and for no two limits that differ."""
    if not isinstance(body, dict):
        return True
    text = body.get("text")
    forms = [body.get("response_format"), text.get("format") if isinstance(text, dict) else None]
    limits = [body.get("max_tokens"), body.get("max_completion_tokens")]
    return not any(isinstance(form, dict) and form.get("type") == "json_schema" for form in forms) and None in limits
