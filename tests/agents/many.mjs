// SPDX-License-Identifier: BSD-2-Clause
// A server that leads many conversations at once over a few HTTP/2 connections, as a chat's backend does:
// many.mjs --base-url URL --ca FILE [--count N] [--alike].  All wait for each other twice, so that they
// are open at the same time, and each but the last asks its second question together with the others, on
// another connection than its first.  Each calls a tool, and every tenth is told to come back later; or
// all say the same first, and only the answers tell them apart.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const SESSIONS = 4;
const LOOK = {
  name: "look",
  description: "Looks a key up.",
  input_schema: { type: "object", properties: { key: { type: "string" } }, required: ["key"] },
};

async function post(session, body, attempt) {
  const stream = session.request({
    ":method": "POST",
    ":path": "/v1/messages",
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "user-agent": "many/1.0",
    "x-api-key": process.env.ANTHROPIC_API_KEY,
    "x-stainless-retry-count": String(attempt),
    "anthropic-version": "2023-06-01",
  });
  stream.setEncoding("utf8");
  stream.end(body);
  const [headers] = await once(stream, "response");
  let text = "";
  for await (const piece of stream) text += piece;
  return { status: headers[":status"], after: Number(headers["retry-after"] ?? 0), text };
}

/** The content of a streamed answer. */
function contentOf(text) {
  const blocks = [];
  for (const line of text.split("\n").filter((each) => each.startsWith("data: "))) {
    const event = JSON.parse(line.slice(6));
    if (event.type === "content_block_start") blocks[event.index] = { ...event.content_block, json: "" };
    if (event.type !== "content_block_delta") continue;
    blocks[event.index].text += event.delta.text ?? "";
    blocks[event.index].json += event.delta.partial_json ?? "";
  }
  return blocks.map(({ json, text: said, ...block }) =>
    block.type === "tool_use" ? { ...block, input: JSON.parse(json) } : { ...block, text: said },
  );
}

async function ask(session, messages) {
  const body = { model: "claude-sonnet-4-5", max_tokens: 256, stream: true, tools: [LOOK], messages };
  for (let attempt = 0; ; attempt++) {
    const answer = await post(session, JSON.stringify(body), attempt);
    if (answer.status === 200) return contentOf(answer.text);
    if (answer.status !== 429) throw new Error(`status ${answer.status}: ${answer.text}`);
    await sleep(answer.after * 1000);
  }
}

const { values: options } = parseArgs({
  options: {
    "base-url": { type: "string" },
    ca: { type: "string" },
    count: { type: "string", default: "200" },
    alike: { type: "boolean" },
  },
});
const sessions = [];
for (let i = 0; i < SESSIONS; i++) {
  sessions.push(http2.connect(options["base-url"], { ca: readFileSync(options.ca) }));
  await once(sessions[i], "connect");
}

const promptOf = (i) =>
  options.alike
    ? "Hello. [[scenario:guest]]"
    : `What is #${String(i).padStart(3, "0")}? [[scenario:${i % 10 ? "conversation" : "busy"}]]`;

/** What is said to the first answer: the result of its tool call, or a question about it. */
function reply(answer) {
  const call = answer.find((block) => block.type === "tool_use");
  if (!call) return `I am ${answer[0].text.match(/#\d+/)[0]}, am I not? [[scenario:text]]`;
  const content = `It is value ${call.input.key.slice(4)}.`;
  return [{ type: "tool_result", tool_use_id: call.id, content }];
}

const conversations = Array.from({ length: Number(options.count) }, (_, i) => ({
  i,
  messages: [{ role: "user", content: promptOf(i) }],
}));
const first = ({ i, messages }) => ask(sessions[i % SESSIONS], messages);
const answers = await Promise.all(conversations.map(first));
const second = async ({ i, messages }) => {
  messages.push({ role: "assistant", content: answers[i] });
  messages.push({ role: "user", content: reply(answers[i]) });
  return ask(sessions[(i + 1) % SESSIONS], messages);
};
const last = conversations.pop(); // what comes out of it is the run's result
await Promise.all(conversations.reverse().map(second));
await second(last);
for (const session of sessions) session.close();
