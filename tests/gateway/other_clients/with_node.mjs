// OpenAI's client for Node as its users write it. Arguments: the gateway's address, a question. Prints one JSON object.
// NODE_PATH is not read for modules, so the package is found from the folder in ASSISTANT_MODULES.

import { createRequire } from "node:module";
import { join } from "node:path";

const OpenAI = createRequire(join(process.env.ASSISTANT_MODULES, "/"))("openai");
const [address, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: process.env.ASSISTANT_KEY, maxRetries: 0 });
const asked = { model: "assistant", messages: [{ role: "user", content: question }] };

const { data: answer, response } = await client.chat.completions.create(asked).withResponse();

let streamed = "";
let usage = 0;
for await (const chunk of await client.chat.completions.create({
  ...asked,
  stream: true,
  stream_options: { include_usage: true },
})) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage += chunk.usage?.total_tokens ?? 0;
}

const collected = await client.chat.completions.stream(asked).finalContent();
const told = await client.responses.create({ model: "assistant", input: question });
const events = [];
for await (const event of await client.responses.create({ model: "assistant", input: question, stream: true }))
  events.push(event.type);

const vectors = (await client.embeddings.create({ model: "embedder", input: [question, "x"] })).data;
const models = [];
for await (const model of client.models.list()) models.push(model.id);

let refused = {};
try {
  await client.chat.completions.create({ ...asked, model: "gpt-4o" });
} catch (error) {
  refused = { kind: error.constructor.name, status: error.status, code: error.code, param: error.param };
}

console.log(
  JSON.stringify({
    answer: answer.choices[0].message.content,
    finished: answer.choices[0].finish_reason,
    model: answer.model,
    interaction: answer.llmops.interaction,
    status: response.status,
    usage: answer.usage.total_tokens,
    streamed,
    streamed_usage: usage,
    collected,
    response: told.output_text,
    events: [events[0], events.at(-1)],
    vectors: vectors.map((vector) => vector.embedding.length),
    models,
    refused,
  }),
);
