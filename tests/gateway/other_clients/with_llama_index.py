"""LlamaIndex as its users write it. Arguments: the gateway's address, a question. Prints one JSON object."""

import json
import os
import sys

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

address, question = sys.argv[1:]
served = {"api_base": f"{address}/v1", "api_key": os.environ["ASSISTANT_KEY"], "max_retries": 0}
model = OpenAILike(model="assistant", is_chat_model=True, context_window=2048, **served)
messages = [ChatMessage(role="system", content="Rhyme."), ChatMessage(role="user", content=question)]
answer = model.chat(messages)
streamed = list(model.stream_chat(messages))
try:
    OpenAILike(model="gpt-4o", is_chat_model=True, **served).chat(messages)
    refused = ""
except Exception as error:
    refused = type(error).__name__
print(
    json.dumps(
        {
            "answer": answer.message.content,
            "usage": answer.additional_kwargs["total_tokens"],
            "streamed": streamed[-1].message.content,
            "completed": model.complete(question).text,
            "plain": OpenAILike(model="assistant", is_chat_model=False, **served).complete(question).text,
            "refused": refused,
        }
    )
)
