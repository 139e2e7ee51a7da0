// OpenAI's own library for Node against a running server: openai_client.mjs URL.

import assert from "node:assert/strict";
import OpenAI from "openai";

const model = "stories";
const messages = [{ role: "user", content: "Tell me a story" }];
const parameters = {
  type: "object",
  properties: { open: { type: "boolean" } },
  required: ["open"],
  additionalProperties: false,
};

async function chats(client) {
  const asked = { model, messages, max_tokens: 20, temperature: 0 };
  const reply = await client.chat.completions.create(asked);
  const text = reply.choices[0].message.content;
  assert.ok(text);
  assert.equal(reply.usage.completion_tokens, 20);
  const stream = await client.chat.completions.create({
    ...asked,
    stream: true,
    stream_options: { include_usage: true },
  });
  let [streamed, usage] = ["", null];
  for await (const chunk of stream) {
    streamed += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage;
  }
  assert.equal(streamed, text);
  assert.equal(usage.completion_tokens, 20);
}

async function tools(client) {
  const tool = { type: "function", function: { name: "door", parameters } };
  const asked = { model, messages, tools: [tool], tool_choice: "required", parallel_tool_calls: false, max_tokens: 200 };
  const runner = client.chat.completions.stream(asked);
  const message = await runner.finalMessage();
  assert.equal(message.tool_calls[0].function.name, "door");
  assert.equal(typeof JSON.parse(message.tool_calls[0].function.arguments).open, "boolean");
  const schema = { name: "door", schema: parameters, strict: true };
  const structured = await client.chat.completions.create({
    model,
    messages,
    response_format: { type: "json_schema", json_schema: schema },
  });
  assert.equal(typeof JSON.parse(structured.choices[0].message.content).open, "boolean");
}

async function responses(client) {
  const asked = { model, input: "Tell me a story", max_output_tokens: 20, temperature: 0 };
  const response = await client.responses.create(asked);
  assert.ok(response.output_text);
  assert.equal(response.status, "incomplete");
  const stream = client.responses.stream(asked);
  let text = "";
  stream.on("response.output_text.delta", (event) => (text += event.delta));
  const final = await stream.finalResponse();
  assert.equal(text, response.output_text);
  assert.equal(final.output_text, text);
  const tool = { type: "function", name: "door", parameters, strict: true };
  const called = await client.responses.create({
    ...asked,
    tools: [tool],
    tool_choice: { type: "function", name: "door" },
    max_output_tokens: 200,
  });
  assert.equal(called.output[0].type, "function_call");
  assert.equal(typeof JSON.parse(called.output[0].arguments).open, "boolean");
}

async function others(client) {
  const { data } = await client.embeddings.create({ model, input: ["a fox", "a bicycle"] });
  assert.equal(data.length, 2);
  assert.equal(data[0].embedding.length, 64);
  const ids = [];
  for await (const listed of client.models.list()) ids.push(listed.id);
  assert.deepEqual(ids, [model]);
  await assert.rejects(client.chat.completions.create({ model, messages, top_p: 2 }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "top_p");
    return true;
  });
  await assert.rejects(client.models.retrieve("no such model"), OpenAI.NotFoundError);
}

async function cancel(client, url) {
  const asked = { model, messages, max_tokens: 400, stream: true, ignore_eos: true };
  const stream = await client.chat.completions.create(asked);
  for await (const _ of stream) break;
  const begun = performance.now();
  const isBusy = async () => (await (await fetch(`${url}/slots`)).json()).some((slot) => slot.is_processing);
  while (await isBusy()) assert.ok(performance.now() - begun < 2000, "a reply goes on that nobody reads");
}

const url = process.argv[2];
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
await chats(client);
await tools(client);
await responses(client);
await others(client);
await cancel(client, url);
