// SPDX-License-Identifier: BSD-2-Clause
// The same small agent for node 18 and later, without packages: asks a model, runs the tools that
// it asks for, until it gives a final answer.  --client https uses node:https, --client fetch the
// built-in fetch, which wants the CA in NODE_EXTRA_CA_CERTS.  Options are those of agent.py, and --truth
// FILE, which gets a line for each attempt to ask the model.
import { spawn } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import zlib from "node:zlib";

const TOOLS = {
  shell: { description: "Run a command with bash.", argument: "command" },
  read_file: { description: "Read a text file.", argument: "path" },
};
const RETRIES = 3;
const TURNS = 50;

/** The exchange failed in a way that another try may cure. */
class Retryable extends Error {
  constructor(message, wait = 0) {
    super(message);
    this.wait = wait;
  }
}

/** The server refused, and would refuse again. */
class Refused extends Error {}

/** A tool and its schema, in whatever envelope the format wants. */
const describe = (envelope) =>
  Object.entries(TOOLS).map(([name, { description, argument }]) =>
    envelope(name, description, {
      type: "object",
      properties: { [argument]: { type: "string" } },
      required: [argument],
    }),
  );

/** The object in a JSON text, or null: a model's arguments may be cut off. */
function parse(text) {
  try {
    return JSON.parse(text || "{}");
  } catch {
    return null;
  }
}

const newAnswer = () => ({ text: "", calls: [], echo: [], complete: false });

class Anthropic {
  path = "/v1/messages";
  keyVariable = "ANTHROPIC_API_KEY";

  constructor(prompt) {
    this.messages = [{ role: "user", content: prompt }];
  }

  headers(key) {
    return { "x-api-key": key, "anthropic-version": "2023-06-01" };
  }

  body(model, stream) {
    const tools = describe((name, description, input_schema) => ({
      name,
      description,
      input_schema,
    }));
    const system = "You are a careful assistant.";
    return { model, max_tokens: 4096, system, messages: this.messages, tools, stream };
  }

  unary(value) {
    const answer = { ...newAnswer(), echo: value.content, complete: true };
    for (const block of value.content) {
      if (block.type === "text") answer.text += block.text;
      if (block.type === "tool_use") {
        const { id, name, input } = block;
        answer.calls.push({ id, name, arguments: JSON.stringify(input) });
      }
    }
    return answer;
  }

  event(answer, value) {
    const block = answer.echo[value.index];
    if (value.type === "content_block_start") {
      const started = { ...value.content_block };
      answer.echo.push(started);
      if (started.type === "tool_use")
        answer.calls.push({ id: started.id, name: started.name, arguments: "" });
    } else if (value.type === "content_block_delta") {
      this.delta(answer, block, value.delta);
    } else if (value.type === "content_block_stop" && block.type === "tool_use") {
      block.input = parse(answer.calls.at(-1).arguments) ?? {};
    } else if (value.type === "message_stop") {
      answer.complete = true;
    } else if (value.type === "error") {
      throw new Retryable(value.error.message);
    }
  }

  delta(answer, block, delta) {
    if (delta.type === "input_json_delta") {
      answer.calls.at(-1).arguments += delta.partial_json;
      return;
    }
    const names = { text_delta: "text", thinking_delta: "thinking", signature_delta: "signature" };
    const name = names[delta.type];
    block[name] += delta[name];
    answer.text += delta.text ?? "";
  }

  results(answer, results) {
    this.messages.push({ role: "assistant", content: answer.echo });
    const content = results.map(({ call, text, bad }) => ({
      type: "tool_result",
      tool_use_id: call.id,
      content: text,
      is_error: bad,
    }));
    this.messages.push({ role: "user", content });
  }
}

class OpenAI {
  keyVariable = "OPENAI_API_KEY";

  headers(key) {
    return { authorization: `Bearer ${key}` };
  }
}

class Chat extends OpenAI {
  path = "/v1/chat/completions";

  constructor(prompt) {
    super();
    this.messages = [
      { role: "system", content: "You are a careful assistant." },
      { role: "user", content: prompt },
    ];
  }

  body(model, stream) {
    const tools = describe((name, description, parameters) => ({
      type: "function",
      function: { name, description, parameters },
    }));
    const streaming = stream ? { stream, stream_options: { include_usage: true } } : {};
    return { model, messages: this.messages, tools, ...streaming };
  }

  unary(value) {
    const { content, tool_calls = [] } = value.choices[0].message;
    const calls = tool_calls.map((call) => ({ id: call.id, ...call.function }));
    return { text: content ?? "", calls, echo: [], complete: true };
  }

  event(answer, value) {
    if (value.error) throw new Retryable(value.error.message);
    for (const { delta } of value.choices) {
      answer.text += delta.content ?? "";
      for (const call of delta.tool_calls ?? []) {
        if (call.id) answer.calls.push({ id: call.id, name: call.function.name, arguments: "" });
        answer.calls[call.index].arguments += call.function.arguments;
      }
    }
  }

  results(answer, results) {
    const tool_calls = answer.calls.map(({ id, name, arguments: text }) => ({
      id,
      type: "function",
      function: { name, arguments: text },
    }));
    this.messages.push({ role: "assistant", content: answer.text, tool_calls });
    for (const { call, text } of results)
      this.messages.push({ role: "tool", tool_call_id: call.id, content: text });
  }
}

class Responses extends OpenAI {
  path = "/v1/responses";

  constructor(prompt) {
    super();
    this.items = [{ role: "user", content: prompt }];
  }

  body(model, stream) {
    const tools = describe((name, description, parameters) => ({
      type: "function",
      name,
      description,
      parameters,
    }));
    const instructions = "You are a careful assistant.";
    return { model, instructions, input: this.items, tools, stream, store: false };
  }

  unary(value) {
    const answer = { ...newAnswer(), echo: value.output, complete: true };
    for (const item of value.output) {
      if (item.type === "message") answer.text += item.content.map((part) => part.text).join("");
      if (item.type === "function_call")
        answer.calls.push({ id: item.call_id, name: item.name, arguments: item.arguments });
    }
    return answer;
  }

  event(answer, value) {
    if (value.type === "response.completed" || value.type === "response.incomplete")
      Object.assign(answer, this.unary(value.response));
    else if (value.type === "error" || value.type === "response.failed")
      throw new Retryable(value.message ?? value.type);
  }

  results(answer, results) {
    this.items.push(...answer.echo);
    for (const { call, text } of results)
      this.items.push({ type: "function_call_output", call_id: call.id, output: text });
  }
}

const APIS = { anthropic: Anthropic, chat: Chat, responses: Responses };

// Tools: calls that come together run together.

function shell(call, command, log) {
  return new Promise((resolve) => {
    const argv = ["/bin/bash", "-c", command]; // deno would look up the path
    const child = spawn(argv[0], argv.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
    const output = [];
    child.stdout.on("data", (piece) => output.push(piece));
    child.stderr.on("data", (piece) => output.push(piece));
    child.on("close", (code) => {
      const line = { tool_call: call.id, pid: child.pid, argv, exit_code: code };
      if (log) appendFileSync(log, JSON.stringify(line) + "\n");
      resolve({ text: `${Buffer.concat(output)}[exit code ${code}]`, bad: code !== 0 });
    });
  });
}

function readFile(path) {
  try {
    return { text: readFileSync(path, "utf8"), bad: false };
  } catch (error) {
    return { text: error.message, bad: true };
  }
}

async function runTool(call, log) {
  const argument = parse(call.arguments)?.[TOOLS[call.name]?.argument];
  if (typeof argument !== "string")
    return { call, text: "error: unknown tool or invalid arguments", bad: true };
  const run = call.name === "shell" ? shell(call, argument, log) : readFile(argument);
  return { call, ...(await run) };
}

// Transport: both clients give { status, header(name), body: async iterable of decoded bytes }.

const UNPACK = { gzip: zlib.createGunzip, deflate: zlib.createInflate };

function viaHttps(url, headers, body, { ca, agent }) {
  return new Promise((resolve, reject) => {
    const request = https.request(url, { method: "POST", headers, ca, agent }, (response) => {
      const unpack = UNPACK[response.headers["content-encoding"]]?.();
      response.on("error", (error) => unpack?.destroy(error));
      resolve({
        status: response.statusCode,
        header: (name) => response.headers[name],
        body: unpack ? response.pipe(unpack) : response,
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function viaFetch(url, headers, body) {
  const response = await fetch(url, { method: "POST", headers, body });
  return { status: response.status, header: (n) => response.headers.get(n), body: response.body };
}

async function readAll(body) {
  const parts = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** The data of every server-sent event. */
async function* events(body) {
  const decoder = new TextDecoder();
  let waiting = "";
  for await (const part of body) {
    const whole = (waiting + decoder.decode(part, { stream: true })).split("\n\n");
    waiting = whole.pop();
    for (const event of whole) {
      const lines = event.split("\n").filter((line) => line.startsWith("data: "));
      if (lines.length) yield lines.map((line) => line.slice(6)).join("\n");
    }
  }
}

async function receive(api, response, fact) {
  fact.status = response.status;
  fact.request_id = response.header("request-id") ?? response.header("x-request-id");
  if (response.status !== 200) {
    const text = await readAll(response.body);
    const again = [408, 409, 429].includes(response.status) || response.status >= 500;
    const message = `status ${response.status}`;
    if (again) throw new Retryable(message, Number(response.header("retry-after") ?? 0) * 1000);
    throw new Refused(`${message}: ${text}`);
  }
  if (!response.header("content-type").includes("event-stream"))
    return api.unary(JSON.parse(await readAll(response.body)));
  const answer = newAnswer();
  for await (const data of events(response.body)) {
    if (data === "[DONE]") answer.complete = true;
    else api.event(answer, JSON.parse(data));
  }
  if (!answer.complete) throw new Retryable("the stream ended early");
  return answer;
}

async function ask(api, options, transport, call) {
  const body = JSON.stringify(api.body(options.model, options.stream));
  const url = options["base-url"] + api.path;
  const send = options.client === "fetch" ? viaFetch : viaHttps;
  for (let attempt = 0; ; attempt++) {
    const headers = {
      "content-type": "application/json",
      "user-agent": "small-agent/1.0 node",
      "accept-encoding": options["accept-encoding"],
      "x-stainless-retry-count": String(attempt),
      ...api.headers(process.env[api.keyVariable]),
    };
    const fact = { what: "attempt", pid: process.pid, agent: 0, call, attempt, status: 0, whole: false };
    fact.body_bytes = Buffer.byteLength(body);
    try {
      const answer = await receive(api, await send(url, headers, body, transport), fact);
      fact.whole = true;
      return answer;
    } catch (error) {
      // All else is worth a try: a broken connection, or JSON that was cut off with it.
      if (error instanceof Refused || attempt === RETRIES) throw error;
      console.error(`agent: ${error.message}, trying again`);
      await sleep(Math.max(error.wait ?? 0, 50 * 2 ** attempt));
    } finally {
      if (options.truth) appendFileSync(options.truth, JSON.stringify(fact) + "\n");
    }
  }
}

async function main() {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      api: { type: "string", default: "anthropic" },
      stream: { type: "boolean", default: true },
      "no-stream": { type: "boolean", default: false },
      "base-url": { type: "string" },
      ca: { type: "string" },
      model: { type: "string", default: "claude-sonnet-4-5" },
      client: { type: "string", default: "https" },
      "accept-encoding": { type: "string", default: "identity" },
      log: { type: "string" },
      truth: { type: "string" },
    },
  });
  options.stream &&= !options["no-stream"];
  const api = new APIS[options.api](positionals.join(" "));
  const agent = new https.Agent({ keepAlive: true });
  const transport = { agent, ca: options.ca && readFileSync(options.ca) };
  for (let turn = 0; turn < TURNS; turn++) {
    const answer = await ask(api, options, transport, turn + 1);
    if (!answer.calls.length) {
      console.log(answer.text);
      agent.destroy();
      return;
    }
    const results = await Promise.all(answer.calls.map((call) => runTool(call, options.log)));
    for (const { call, text: result } of options.truth ? results : []) {
      const fact = { what: "tool", pid: process.pid, agent: 0, id: call.id, result };
      appendFileSync(options.truth, JSON.stringify(fact) + "\n");
    }
    api.results(answer, results);
  }
  throw new Error("too many turns");
}

main().catch((error) => {
  console.error(`agent: ${error.message}`);
  process.exitCode = 1;
});
