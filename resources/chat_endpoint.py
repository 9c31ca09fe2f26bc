"""A language model behind an OpenAI-compatible endpoint: one call, an answer or an error that says what to do.

Only redacted text may be given to it; callers see to that.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field

from llmops_assets.lib.errors import LlmopsError


class ChatError(LlmopsError, RuntimeError):
    """The endpoint did not answer as it should; the message names address and status, never the text sent."""


@dataclass(frozen=True)
class ChatEndpoint:
    """`POST <base_url>/chat/completions` with a bearer key. Greedy, so that the same text gives the same reply."""

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    timeout_seconds: float = 60.0
    max_tokens: int = 32

    def ask(self, messages: Sequence[dict[str, str]]) -> str:
        """The reply to chat messages. ChatError when there is none."""
        address = f"{self.base_url.rstrip('/')}/chat/completions"
        if not address.startswith(("http://", "https://")):
            raise ChatError(f"{self.base_url!r} is no address: give one such as http://127.0.0.1:8730/v1")
        body = {"model": self.model, "messages": list(messages), "temperature": 0, "max_tokens": self.max_tokens}
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as response:
                reply = json.load(response)["choices"][0]["message"]["content"]
        except urllib.error.HTTPError as error:
            with error:
                raise ChatError(f"{address}: status {error.code}; check address, model and key") from None
        except OSError as error:
            raise ChatError(f"{address}: cannot be reached ({error})") from None
        except (ValueError, LookupError, TypeError):
            raise ChatError(f"{address}: the answer is no chat completion") from None
        if not isinstance(reply, str):
            raise ChatError(f"{address}: the answer is no chat completion")
        return reply
