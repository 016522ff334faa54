#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A small agent: asks a model, runs the tools that it asks for, until it gives a final answer.

Nothing but the standard library.  The key comes from ANTHROPIC_API_KEY or OPENAI_API_KEY.  --log
FILE gets one JSON line for every process that the shell tool started: ground truth for tests.
--mcp offers the tools of an MCP server, too, --toolbox those of toolbox.py.
"""

import argparse
import http.client
import json
import os
import shlex
import ssl
import subprocess
import sys
import time
import urllib.parse
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import toolbox

TOOLS = {
    "shell": ("Run a command with bash.", "command"),
    "read_file": ("Read a text file.", "path"),
}
MCP_PREFIX = "mcp__small__"
RETRIES = 3
TURNS = 50


class Retryable(Exception):
    """The exchange failed in a way that another try may cure."""

    def __init__(self, reason, wait=0.0):
        super().__init__(reason)
        self.wait = wait


class Broken(Retryable):
    """... and its connection is of no more use."""


@dataclass
class Call:
    id: str
    name: str
    arguments: str = ""  # JSON text


@dataclass
class Answer:
    text: str = ""
    calls: list = field(default_factory=list)
    echo: list = field(default_factory=list)  # what the next request repeats of it
    complete: bool = False


def schema(argument):
    return {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}


def parse(text):
    """The object in a JSON text, or None: a model's arguments may be cut off."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class Anthropic:
    path, key_variable = "/v1/messages", "ANTHROPIC_API_KEY"

    def __init__(self):
        self.messages = []

    def prompt(self, text):
        self.messages.append({"role": "user", "content": text})

    def headers(self, key):
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}

    def body(self, model, stream):
        tools = [{"name": n, "description": d, "input_schema": schema(a)}
                 for n, (d, a) in TOOLS.items()]
        return {"model": model, "max_tokens": 4096, "system": "You are a careful assistant.",
                "messages": self.messages, "tools": tools, "stream": stream}

    def unary(self, value):
        answer = Answer(echo=value["content"], complete=True)
        for block in value["content"]:
            if block["type"] == "text":
                answer.text += block["text"]
            elif block["type"] == "tool_use":
                answer.calls.append(Call(block["id"], block["name"], json.dumps(block["input"])))
        return answer

    def event(self, answer, value):
        kind = value["type"]
        if kind == "content_block_start":
            answer.echo.append(dict(value["content_block"]))
            if value["content_block"]["type"] == "tool_use":
                answer.calls.append(Call(answer.echo[-1]["id"], answer.echo[-1]["name"]))
        elif kind == "content_block_delta":
            self.delta(answer, answer.echo[value["index"]], value["delta"])
        elif kind == "content_block_stop" and answer.echo[value["index"]]["type"] == "tool_use":
            answer.echo[value["index"]]["input"] = parse(answer.calls[-1].arguments) or {}
        elif kind == "message_stop":
            answer.complete = True
        elif kind == "error":
            raise Broken(value["error"]["message"])

    def delta(self, answer, block, delta):
        if delta["type"] == "input_json_delta":
            answer.calls[-1].arguments += delta["partial_json"]
            return
        name = {"text_delta": "text", "thinking_delta": "thinking",
                "signature_delta": "signature"}[delta["type"]]
        block[name] += delta[name]
        answer.text += delta.get("text", "")

    def answered(self, answer):
        self.messages.append({"role": "assistant", "content": answer.echo})

    def results(self, results):
        blocks = [{"type": "tool_result", "tool_use_id": call.id, "content": text, "is_error": bad}
                  for call, text, bad in results]
        self.messages.append({"role": "user", "content": blocks})


class OpenAI:
    key_variable = "OPENAI_API_KEY"

    def headers(self, key):
        return {"authorization": "Bearer " + key}


class Chat(OpenAI):
    path = "/v1/chat/completions"

    def __init__(self):
        self.messages = [{"role": "system", "content": "You are a careful assistant."}]

    def prompt(self, text):
        self.messages.append({"role": "user", "content": text})

    def body(self, model, stream):
        tools = [{"type": "function",
                  "function": {"name": n, "description": d, "parameters": schema(a)}}
                 for n, (d, a) in TOOLS.items()]
        body = {"model": model, "messages": self.messages, "tools": tools}
        if stream:
            body.update(stream=True, stream_options={"include_usage": True})
        return body

    def unary(self, value):
        message = value["choices"][0]["message"]
        calls = [Call(c["id"], c["function"]["name"], c["function"]["arguments"])
                 for c in message.get("tool_calls", [])]
        return Answer(message["content"] or "", calls, complete=True)

    def event(self, answer, value):
        if "error" in value:
            raise Broken(value["error"]["message"])
        for choice in value["choices"]:
            answer.text += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls", []):
                if "id" in call:
                    answer.calls.append(Call(call["id"], call["function"]["name"]))
                answer.calls[call["index"]].arguments += call["function"]["arguments"]

    def answered(self, answer):
        calls = [{"id": c.id, "type": "function",
                  "function": {"name": c.name, "arguments": c.arguments}} for c in answer.calls]
        message = {"role": "assistant", "content": answer.text}
        self.messages.append({**message, "tool_calls": calls} if calls else message)

    def results(self, results):
        for call, text, _ in results:
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": text})


class Responses(OpenAI):
    path = "/v1/responses"

    def __init__(self):
        self.items = []

    def prompt(self, text):
        self.items.append({"role": "user", "content": text})

    def body(self, model, stream):
        tools = [{"type": "function", "name": n, "description": d, "parameters": schema(a)}
                 for n, (d, a) in TOOLS.items()]
        return {"model": model, "instructions": "You are a careful assistant.",
                "input": self.items, "tools": tools, "stream": stream, "store": False}

    def unary(self, value):
        answer = Answer(echo=value["output"], complete=True)
        for item in value["output"]:
            if item["type"] == "message":
                answer.text += "".join(part["text"] for part in item["content"])
            elif item["type"] == "function_call":
                answer.calls.append(Call(item["call_id"], item["name"], item["arguments"]))
        return answer

    def event(self, answer, value):
        kind = value["type"]
        if kind in ("response.completed", "response.incomplete"):
            vars(answer).update(vars(self.unary(value["response"])))
        elif kind in ("error", "response.failed"):
            raise Broken(value.get("message", kind))

    def answered(self, answer):
        self.items += answer.echo

    def results(self, results):
        for call, text, _ in results:
            self.items.append({"type": "function_call_output", "call_id": call.id, "output": text})


APIS = {"anthropic": Anthropic, "chat": Chat, "responses": Responses}


class Tools:
    """Runs what the model asks for; calls that come together run together."""

    def __init__(self, options, mcp):
        self.mcp, self.options, self.denied = mcp, options, set()
        self.log = open(options.log, "a", encoding="utf-8") if options.log else None

    def run_all(self, calls):
        for call in calls if self.options.ask else []:
            if input(f"run {call.name} {call.arguments}? ") != "y":
                self.denied.add(call.id)
        with ThreadPoolExecutor(max(1, len(calls))) as pool:
            return list(pool.map(self.run, calls))

    def run(self, call):
        if call.id in self.denied:
            return call, "error: denied by the user", True
        arguments = parse(call.arguments)
        if call.name not in TOOLS or not arguments or TOOLS[call.name][1] not in arguments:
            return call, "error: unknown tool or invalid arguments", True
        if call.name.startswith(MCP_PREFIX):
            return call, *self.mcp.call_text(call.name.removeprefix(MCP_PREFIX), arguments)
        argument = arguments[TOOLS[call.name][1]]
        if call.name in toolbox.TOOLS:
            return call, *toolbox.run(call.name, argument)
        text, bad = self.shell(call, argument) if call.name == "shell" else self.read(argument)
        return call, text, bad

    def shell(self, call, command):
        argv = ["bash", "-c", toolbox.wrapped(command) if self.options.shell == "eval" else command]
        if self.options.shell == "pty":
            output, code = toolbox.in_terminal(argv)
            return output + f"[exit code {code}]", code != 0
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace")
        try:
            output, _ = process.communicate(timeout=self.options.timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0] + "[timed out]"
        if self.log:
            line = {"tool_call": call.id, "pid": process.pid, "argv": argv,
                    "exit_code": process.returncode}
            self.log.write(json.dumps(line) + "\n")
            self.log.flush()
        return output + f"[exit code {process.returncode}]", process.returncode != 0

    def read(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                return file.read(), False
        except (OSError, UnicodeDecodeError) as error:
            return str(error), True


class Client:
    """One connection that is kept alive, and made again when it broke."""

    def __init__(self, options, api):
        self.options, self.api = options, api
        self.url = urllib.parse.urlsplit(options.base_url)
        self.context = ssl.create_default_context(cafile=options.ca)
        self.connection = None

    def ask(self):
        body = json.dumps(self.api.body(self.options.model, self.options.stream))
        for attempt in range(RETRIES + 1):
            try:
                return self.exchange(body, attempt)
            except Retryable as error:
                if isinstance(error, Broken):
                    self.connection.close()
                    self.connection = None
                if attempt == RETRIES:
                    raise
                print(f"agent: {error}, trying again", file=sys.stderr)
                time.sleep(max(error.wait, 0.05 * 2**attempt))

    def exchange(self, body, attempt):
        if not self.connection:
            self.connection = http.client.HTTPSConnection(
                self.url.hostname, self.url.port, context=self.context, timeout=60)
        headers = {"content-type": "application/json", "user-agent": "small-agent/1.0 python",
                   "accept-encoding": self.options.accept_encoding,
                   "x-stainless-retry-count": str(attempt),
                   **self.api.headers(os.environ[self.api.key_variable])}
        if self.options.traceparent:
            headers["traceparent"] = self.options.traceparent
        try:
            self.connection.request("POST", self.url.path + self.api.path, body.encode(), headers)
            return self.receive(self.connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Broken(f"the connection broke: {type(error).__name__}") from error

    def receive(self, response):
        if response.status != 200:
            self.refused(response)
        if "event-stream" not in response.getheader("content-type"):
            return self.api.unary(json.loads(b"".join(pieces(response))))
        answer = Answer()
        for data in events(pieces(response)):
            if data == b"[DONE]":
                answer.complete = True
            else:
                self.api.event(answer, json.loads(data))
        if not answer.complete:
            raise Broken("the stream ended early")
        return answer

    def refused(self, response):
        text = b"".join(pieces(response)).decode()
        if response.status in (408, 409, 429) or response.status >= 500:
            wait = float(response.getheader("retry-after", 0))
            raise Retryable(f"status {response.status}", wait)
        sys.exit(f"agent: status {response.status}: {text}")


def pieces(response):
    """The decoded body, piece by piece as it arrives."""
    coding = response.getheader("content-encoding", "identity")
    unpacker = None if coding == "identity" else zlib.decompressobj(wbits=47)
    while piece := response.read1(65536):
        yield unpacker.decompress(piece) if unpacker else piece
    response.close()
    if unpacker and not unpacker.eof:
        raise Broken("the compressed body is cut")


def events(parts):
    """The data of every server-sent event."""
    waiting = b""
    for part in parts:
        *whole, waiting = (waiting + part).split(b"\n\n")
        for event in whole:
            lines = [line[6:] for line in event.split(b"\n") if line.startswith(b"data: ")]
            if lines:
                yield b"\n".join(lines)


def open_mcp(options):
    """The client of the server that --mcp names, whose tools become the agent's."""
    import mcp_client

    client = mcp_client.Client(mcp_client.Options(
        era=options.mcp_era, transport=options.mcp_transport, ca=options.ca, log=options.mcp_log,
        url=options.mcp if "://" in options.mcp else None, command=shlex.split(options.mcp)))
    for tool in client.start():
        argument = next(iter(tool["inputSchema"]["properties"]))
        TOOLS[MCP_PREFIX + tool["name"]] = (tool["description"], argument)
    return client


def converse(client, tools, prompt):
    """The final answer to a prompt."""
    client.api.prompt(prompt)
    for _ in range(TURNS):
        try:
            answer = client.ask()
        except Retryable as error:
            sys.exit(f"agent: gave up: {error}")
        client.api.answered(answer)
        if not answer.calls:
            return answer.text
        client.api.results(tools.run_all(answer.calls))
    sys.exit("agent: too many turns")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--api", choices=APIS, default="anthropic")
    parser.add_argument("--stream", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--ca", help="file with the certificates to trust")
    parser.add_argument("--model", default="claude-sonnet-4-5")
    parser.add_argument("--accept-encoding", default="identity", metavar="CODING")
    parser.add_argument("--log", help="file that gets a line for every process")
    parser.add_argument("--mcp", metavar="SERVER", help="its URL, or the command that starts it")
    parser.add_argument("--mcp-transport", choices=("pipe", "socketpair", "pty"), default="pipe")
    parser.add_argument("--mcp-era", metavar="REVISION", default="2025-06-18")
    parser.add_argument("--mcp-log", metavar="FILE", help="that gets a line for every request")
    parser.add_argument("--traceparent", help="W3C trace context of every request")
    parser.add_argument("--ask", action="store_true", help="a human, before each tool call")
    parser.add_argument("--stay", action="store_true", help="until a line comes, when all is answered")
    parser.add_argument("--toolbox", action="store_true", help="more tools, done by the agent itself")
    parser.add_argument("--shell", choices=("plain", "eval", "pty"), default="plain")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="of a command")
    parser.add_argument("prompt", nargs="+", help="the next one when the one before is answered")
    options = parser.parse_args()
    mcp = open_mcp(options) if options.mcp else None
    api = APIS[options.api]()
    client, tools = Client(options, api), Tools(options, mcp)
    if options.toolbox:
        TOOLS.update((name, tool[:2]) for name, tool in toolbox.TOOLS.items())
    for prompt in options.prompt:
        print(converse(client, tools, prompt))
    if options.stay:
        sys.stdin.readline()
    if mcp:
        mcp.close()


if __name__ == "__main__":
    main()
