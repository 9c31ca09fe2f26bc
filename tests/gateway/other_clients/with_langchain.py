"""LangChain as its users write it. Arguments: the gateway's address, a question. Prints one JSON object."""

import asyncio
import json
import os
import sys

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

address, question = sys.argv[1:]
served = {"base_url": f"{address}/v1", "api_key": os.environ["ASSISTANT_KEY"], "max_retries": 0}
chat = ChatOpenAI(model="assistant", **served)
answer = chat.invoke([SystemMessage("Rhyme."), HumanMessage("hello"), AIMessage("Hello."), HumanMessage(question)])
chunks = list(chat.stream(question, stream_usage=True))
events = asyncio.run(asyncio.wait_for(chat.abatch([question, question]), 60))
responses = ChatOpenAI(model="assistant", use_responses_api=True, **served).invoke(question)
# Texts, not token numbers of another model's vocabulary.
vectors = OpenAIEmbeddings(model="embedder", check_embedding_ctx_length=False, **served).embed_documents(
    [question, "x"]
)
try:
    ChatOpenAI(model="gpt-4o", **served).invoke(question)
    refused = ""
except Exception as error:
    refused = type(error).__name__
print(
    json.dumps(
        {
            "answer": answer.content,
            "model": answer.response_metadata["model_name"],
            "finished": answer.response_metadata["finish_reason"],
            "usage": answer.usage_metadata["total_tokens"],
            "streamed": "".join(chunk.content for chunk in chunks),
            "streamed_usage": sum(chunk.usage_metadata["total_tokens"] for chunk in chunks if chunk.usage_metadata),
            "side_by_side": [event.content for event in events],
            "response": responses.text,
            "vectors": [len(vector) for vector in vectors],
            "refused": refused,
        }
    )
)
