# SPDX-License-Identifier: BSD-2-Clause
"""The three wire formats in which the mock answers a prompt.

A format reads a request into a Request and renders a Reply as one JSON object or as the events of a
stream.  It knows neither sockets nor scenarios.
"""

import json
import secrets
import time
from dataclasses import dataclass, field

MODELS = {  # a provider answers with the dated name of an alias
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "gpt-4.1": "gpt-4.1-2025-04-14",
}


def new_id(prefix):
    return prefix + secrets.token_hex(12)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def pieces(text):
    """Cuts a text as a model streams it: a few letters at a time, more when there is much."""
    size = 7 if len(text) < 2000 else 1500
    return [text[i : i + size] for i in range(0, len(text), size)]


def plain(content):
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [])


@dataclass
class Request:
    model: str
    stream: bool
    prompt: str = ""  # the user's last
    rounds: int = 0  # rounds of tool results since then
    tools: dict = field(default_factory=dict)  # name -> its first argument
    results: list = field(default_factory=list)  # of the last round: {"id", "text"}
    include_usage: bool = True

    def add_tool(self, name, schema):
        self.tools[name] = next(iter(schema.get("properties", {})), "input")

    def add_prompt(self, text):
        self.prompt, self.rounds, self.results = text, 0, []


@dataclass
class Usage:
    input: int  # with what a cache served or stored
    output: int  # with reasoning
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass
class ToolCall:
    id: str
    name: str
    arguments: str  # JSON text, maybe cut off
    invalid: bool = False  # they break the schema of the request


@dataclass
class Reply:
    id: str
    model: str
    text: str
    reasoning: str
    calls: list
    usage: Usage
    finish: str  # "stop", "tool", "length", "refusal" or "filter"; a format has its own words
    created: int = field(default_factory=lambda: int(time.time()))


def sse(data, event=None):
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {data if isinstance(data, str) else compact(data)}\n\n".encode()


class Anthropic:
    api = "anthropic.messages"
    path = "/v1/messages"
    arguments_are_object = True  # in a unary answer, where they cannot break off
    prefix, call_prefix = "msg_", "toolu_"
    finish = {"stop": "end_turn", "tool": "tool_use", "length": "max_tokens", "refusal": "refusal"}
    errors = {
        400: "invalid_request_error",
        404: "not_found_error",
        429: "rate_limit_error",
        500: "api_error",
        529: "overloaded_error",
    }

    def read(self, body):
        request = Request(body["model"], body.get("stream", False))
        for tool in body.get("tools", []):
            request.add_tool(tool["name"], tool["input_schema"])
        for message in body["messages"]:
            if message["role"] != "user":
                continue
            content = message["content"]
            blocks = content if isinstance(content, list) else []
            results = [b for b in blocks if b["type"] == "tool_result"]
            if not results:
                request.add_prompt(plain(content))
                continue
            request.rounds += 1
            request.results = [
                {"id": block["tool_use_id"], "text": plain(block["content"])} for block in results
            ]
        return request

    def headers(self, request_id, _seconds):
        return {
            "request-id": request_id,
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-tokens-remaining": "39000",
        }

    def error(self, status):
        error = {"type": self.errors[status], "message": "mock error"}
        return {"type": "error", "error": error}

    def stream_error(self):
        return sse(self.error(529), "error")

    def usage(self, u):
        return {
            "input_tokens": u.input - u.cache_read - u.cache_write,
            "cache_creation_input_tokens": u.cache_write,
            "cache_read_input_tokens": u.cache_read,
            "output_tokens": u.output,
            "output_tokens_details": {"thinking_tokens": u.reasoning},
        }

    def message(self, reply, content, stop_reason, usage):
        return {
            "id": reply.id,
            "type": "message",
            "role": "assistant",
            "model": reply.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": usage,
        }

    def unary(self, reply, _request):
        content = []
        if reply.reasoning:
            thinking = {"thinking": reply.reasoning, "signature": "bW9jaw=="}
            content.append({"type": "thinking", **thinking})
        if reply.text:
            content.append({"type": "text", "text": reply.text})
        for call in reply.calls:
            value = json.loads(call.arguments)
            content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": value})
        return self.message(reply, content, self.finish[reply.finish], self.usage(reply.usage))

    def blocks(self, reply):
        """Of every block: what opens it, and its deltas."""
        if reply.reasoning:
            deltas = [{"type": "thinking_delta", "thinking": p} for p in pieces(reply.reasoning)]
            deltas.append({"type": "signature_delta", "signature": "bW9jaw=="})
            yield {"type": "thinking", "thinking": "", "signature": ""}, deltas
        if reply.text:
            deltas = [{"type": "text_delta", "text": p} for p in pieces(reply.text)]
            yield {"type": "text", "text": ""}, deltas
        for call in reply.calls:
            parts = [""] + pieces(call.arguments)
            deltas = [{"type": "input_json_delta", "partial_json": p} for p in parts]
            yield {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}, deltas

    def stream(self, reply, _request):
        def event(name, **data):
            return sse({"type": name, **data}, name)

        first = {**self.usage(reply.usage), "output_tokens": 1}
        yield event("message_start", message=self.message(reply, [], None, first))
        for index, (block, deltas) in enumerate(self.blocks(reply)):
            yield event("content_block_start", index=index, content_block=block)
            if index == 0:
                yield event("ping")
            for delta in deltas:
                yield event("content_block_delta", index=index, delta=delta)
            yield event("content_block_stop", index=index)
        end = {"stop_reason": self.finish[reply.finish], "stop_sequence": None}
        yield event("message_delta", delta=end, usage=self.usage(reply.usage))
        yield event("message_stop")


class OpenAI:
    """What both OpenAI formats share."""

    arguments_are_object = False
    errors = {400: "invalid_request_error", 429: "rate_limit_exceeded"}

    def headers(self, request_id, seconds):
        return {
            "x-request-id": request_id,
            "openai-processing-ms": str(int(seconds * 1000) + 1),
            "x-ratelimit-limit-requests": "500",
            "x-ratelimit-remaining-requests": "499",
            "x-ratelimit-reset-requests": "120ms",
        }

    def error(self, status):
        kind = self.errors.get(status, "server_error")
        return {"error": {"message": "mock error", "type": kind, "param": None, "code": kind}}


class Chat(OpenAI):
    api = "openai.chat"
    path = "/v1/chat/completions"
    prefix, call_prefix = "chatcmpl-", "call_"
    finish = {"stop": "stop", "tool": "tool_calls", "length": "length", "refusal": "stop",
              "filter": "content_filter"}

    def read(self, body):
        request = Request(body["model"], body.get("stream", False))
        request.include_usage = body.get("stream_options", {}).get("include_usage", False)
        for tool in body.get("tools", []):
            request.add_tool(tool["function"]["name"], tool["function"]["parameters"])
        before = ""
        for message in body["messages"]:
            if message["role"] == "user":
                request.add_prompt(plain(message["content"]))
            elif message["role"] == "tool":
                if before != "tool":
                    request.rounds, request.results = request.rounds + 1, []
                result = {"id": message["tool_call_id"], "text": plain(message["content"])}
                request.results.append(result)
            before = message["role"]
        return request

    def stream_error(self):
        return sse(self.error(500))

    def usage(self, u):
        return {
            "prompt_tokens": u.input,
            "completion_tokens": u.output,
            "total_tokens": u.input + u.output,
            "prompt_tokens_details": {"cached_tokens": u.cache_read},
            "completion_tokens_details": {"reasoning_tokens": u.reasoning},
        }

    def calls(self, reply):
        for call in reply.calls:
            function = {"name": call.name, "arguments": call.arguments}
            yield {"id": call.id, "type": "function", "function": function}

    def unary(self, reply, _request):
        refused = reply.finish == "refusal"
        message = {"role": "assistant", "content": None if refused else reply.text or None,
                   "refusal": reply.text if refused else None}
        if reply.reasoning:
            message["reasoning_content"] = reply.reasoning
        if reply.calls:
            message["tool_calls"] = list(self.calls(reply))
        choice = {"index": 0, "message": message, "finish_reason": self.finish[reply.finish]}
        return {
            "id": reply.id,
            "object": "chat.completion",
            "created": reply.created,
            "model": reply.model,
            "choices": [choice],
            "usage": self.usage(reply.usage),
        }

    def stream(self, reply, request):
        base = {
            "id": reply.id,
            "object": "chat.completion.chunk",
            "created": reply.created,
            "model": reply.model,
        }

        def chunk(delta, finish=None):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return sse({**base, "choices": [choice]})

        yield b": the first line of a stream may be a comment\n\n"
        yield chunk({"role": "assistant", "content": ""})
        for piece in pieces(reply.reasoning):
            yield chunk({"reasoning_content": piece})
        for piece in pieces(reply.text):
            yield chunk({"refusal" if reply.finish == "refusal" else "content": piece})
        for index, call in enumerate(self.calls(reply)):
            arguments = call["function"]["arguments"]
            call["function"]["arguments"] = ""
            yield chunk({"tool_calls": [{"index": index, **call}]})
            for piece in pieces(arguments):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        yield chunk({}, self.finish[reply.finish])
        if request.include_usage:
            yield sse({**base, "choices": [], "usage": self.usage(reply.usage)})
        yield sse("[DONE]")


class Responses(OpenAI):
    api = "openai.responses"
    path = "/v1/responses"
    prefix, call_prefix = "resp_", "call_"
    # what a reader takes for the reason: the status, or why it is "incomplete"
    finish = {"stop": "completed", "tool": "completed", "length": "max_output_tokens"}
    status = {"stop": "completed", "tool": "completed", "length": "incomplete"}

    def __init__(self):
        self.asked = {}  # id of an answer -> the prompt that it is about, and its rounds

    def read(self, body):
        request = Request(body["model"], body.get("stream", False))
        before = self.asked.get(body.get("previous_response_id"))
        if before:
            request.prompt, request.rounds = before
        for tool in body.get("tools", []):
            request.add_tool(tool["name"], tool["parameters"])
        items = body["input"]
        if isinstance(items, str):
            items = [{"role": "user", "content": items}]
        before = ""
        for item in items:
            if item.get("role") == "user":
                request.add_prompt(plain(item["content"]))
            elif item.get("type") == "function_call_output":
                if before != "function_call_output":
                    request.rounds, request.results = request.rounds + 1, []
                request.results.append({"id": item["call_id"], "text": plain(item["output"])})
            before = item.get("type", "message")
        return request

    def stream_error(self):
        error = self.error(500)["error"]
        return sse({**error, "type": "error", "sequence_number": 0}, "error")

    def usage(self, u):
        return {
            "input_tokens": u.input,
            "input_tokens_details": {"cached_tokens": u.cache_read},
            "output_tokens": u.output,
            "output_tokens_details": {"reasoning_tokens": u.reasoning},
            "total_tokens": u.input + u.output,
        }

    def items(self, reply):
        status = self.status[reply.finish]
        if reply.reasoning:
            summary = [{"type": "summary_text", "text": reply.reasoning}]
            yield {"id": new_id("rs_"), "type": "reasoning", "summary": summary}
        if reply.text:
            content = [{"type": "output_text", "text": reply.text, "annotations": []}]
            message = {"role": "assistant", "status": "completed", "content": content}
            yield {"id": new_id("msg_"), "type": "message", **message}
        for call in reply.calls:
            function = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
            yield {"id": new_id("fc_"), "type": "function_call", "status": status, **function}

    def response(self, reply, status, output, usage):
        incomplete = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": reply.id,
            "object": "response",
            "created_at": reply.created,
            "status": status,
            "error": None,
            "incomplete_details": incomplete,
            "model": reply.model,
            "output": output,
            "usage": usage,
        }

    def unary(self, reply, request):
        self.asked[reply.id] = request.prompt, request.rounds
        usage, output = self.usage(reply.usage), list(self.items(reply))
        return self.response(reply, self.status[reply.finish], output, usage)

    def item_events(self, event, index, item):
        """The events between the opening of an item and its end."""
        at = {"item_id": item["id"], "output_index": index}
        if item["type"] == "function_call":
            name, text = "response.function_call_arguments", item["arguments"]
            done = {"arguments": text}
        elif item["type"] == "reasoning":
            name, text = "response.reasoning_summary_text", item["summary"][0]["text"]
            at["summary_index"], done = 0, {"text": text}
        else:
            name, text = "response.output_text", item["content"][0]["text"]
            at["content_index"], done = 0, {"text": text}
        for piece in pieces(text):
            yield event(name + ".delta", **at, delta=piece)
        yield event(name + ".done", **at, **done)

    def stream(self, reply, request):
        self.asked[reply.id] = request.prompt, request.rounds
        number = 0

        def event(name, **data):
            nonlocal number
            number += 1
            return sse({"type": name, "sequence_number": number - 1, **data}, name)

        started = self.response(reply, "in_progress", [], None)
        yield event("response.created", response=started)
        yield event("response.in_progress", response=started)
        output = list(self.items(reply))
        for index, item in enumerate(output):
            opened = {k: [] if isinstance(v, list) else v for k, v in item.items()}
            if "arguments" in item:
                opened["arguments"] = ""
            yield event("response.output_item.added", output_index=index, item=opened)
            yield from self.item_events(event, index, item)
            yield event("response.output_item.done", output_index=index, item=item)
        status, usage = self.status[reply.finish], self.usage(reply.usage)
        yield event("response." + status, response=self.response(reply, status, output, usage))


FORMATS = {wire.path: wire for wire in (Anthropic(), Chat(), Responses())}
