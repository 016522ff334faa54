#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Agents whose every request is written down here: what agent.py does not do, one function each.

    scripted.py --base-url URL --ca FILE SCRIPT

They ask in one piece and do their tools themselves, so that nothing but the messages tells which
conversation a request belongs to.
"""

import argparse
import http.client
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import urllib.parse


def tool(name, *arguments):
    properties = {argument: {"type": "string"} for argument in arguments}
    schema = {"type": "object", "properties": properties, "required": list(arguments)}
    return {"name": name, "description": f"The tool {name}.", "input_schema": schema}


class Server:
    """One connection."""

    def __init__(self, base_url, ca):
        url = urllib.parse.urlsplit(base_url)
        self.connection = http.client.HTTPSConnection(
            url.hostname, url.port, context=ssl.create_default_context(cafile=ca), timeout=60)
        self.connection.connect()
        self.headers = {"content-type": "application/json", "user-agent": "scripted/1.0",
                        "x-api-key": os.environ["ANTHROPIC_API_KEY"],
                        "anthropic-version": "2023-06-01",
                        "authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}

    def send(self, path, body):
        self.connection.request("POST", path, json.dumps(body).encode(), self.headers)

    def post(self, path, body):
        self.send(path, body)
        response = self.connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise SystemExit(f"scripted: status {response.status}: {text.decode()}")
        return json.loads(text)


class Messages:
    """A conversation with Anthropic's Messages API."""

    def __init__(self, server, system, *tools):
        self.server, self.system, self.tools, self.history = server, system, list(tools), []

    def body(self):
        return {"model": "claude-sonnet-4-5", "max_tokens": 1024, "system": self.system,
                "messages": self.history, "tools": self.tools}

    def ask(self, content):
        """The tool calls of the answer, or its text."""
        self.history.append({"role": "user", "content": content})
        blocks = self.server.post("/v1/messages", self.body())["content"]
        self.history.append({"role": "assistant", "content": blocks})
        calls = [block for block in blocks if block["type"] == "tool_use"]
        return calls or "".join(block["text"] for block in blocks)

    def results(self, calls, texts):
        return self.ask([{"type": "tool_result", "tool_use_id": call["id"], "content": text}
                         for call, text in zip(calls, texts)])


class Chat:
    """A conversation with OpenAI's Chat Completions API."""

    def __init__(self, server):
        self.server, self.history = server, []

    def ask(self, instructions, tools, *messages):
        """The tool calls of the answer, or its text."""
        self.history += messages
        body = {"model": "gpt-4.1",
                "messages": [{"role": "system", "content": instructions}, *self.history],
                "tools": [{"type": "function", "function": {
                    "name": t["name"], "description": t["description"],
                    "parameters": t["input_schema"]}} for t in tools]}
        message = self.server.post("/v1/chat/completions", body)["choices"][0]["message"]
        self.history.append({k: v for k, v in message.items() if v is not None})
        return message.get("tool_calls") or message["content"]


def sub_agents(connect):
    """Two tool calls are agents of their own, at the same time, each with a tool call of its own."""
    lead = Messages(connect(), "You lead.", tool("task", "prompt", "subagent_type"))
    calls = lead.ask("Look into both. [[scenario:lead]]")
    both, found = threading.Barrier(2), {}

    def scout(agent, call):
        looks = agent.ask(call["input"]["prompt"])
        both.wait()
        found[call["id"]] = agent.results(looks, ["It is there."])
        both.wait()  # neither is over before the other is done

    scouts = [Messages(connect(), "You are a scout.", tool("look", "where")) for _ in calls]
    threads = [threading.Thread(target=scout, args=pair) for pair in zip(scouts, calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return lead.results(calls, [found[call["id"]] for call in calls])


def hand_off(connect):
    """Another agent goes on with the same history: other instructions, other tools; and back."""
    triage = "You decide who helps.", [tool("transfer_to_billing", "why")]
    billing = "You do the billing.", [tool("refund", "what"), tool("transfer_to_triage", "why")]
    chat = Chat(connect())
    call = chat.ask(*triage, {"role": "user", "content": "I paid twice. [[scenario:triage]]"})[0]
    for agent, result in ((billing, "Billing has it."), (billing, "It is refunded."),
                          (triage, "Triage has it.")):
        answer = chat.ask(*agent,
                          {"role": "tool", "tool_call_id": call["id"], "content": result})
        call = answer[0]
    return answer


def notes(connect):
    """An agent that has noted what it was asked for."""
    agent = Messages(connect(), "You keep notes.", tool("note", "what"))
    agent.results(agent.ask("Note this. [[scenario:note]]"), ["Noted."])
    return agent


def compaction(connect):
    """The history is summed up, without tools, and the summary takes its place."""
    agent = notes(connect)
    body = {"model": "claude-sonnet-4-5", "max_tokens": 1024, "system": agent.system}
    question = {"role": "user", "content": "Sum up all of this. [[scenario:summary]]"}
    answer = agent.server.post("/v1/messages", {**body, "messages": [*agent.history, question]})
    summary = answer["content"][0]["text"]
    agent.history = []
    calls = agent.ask("This goes on from an earlier conversation: " + summary +
                      "\nNote that, too. [[scenario:note]]")
    return agent.results(calls, ["Noted again."])


def edited(connect):
    """An old result is cleared from the history to make room."""
    agent = notes(connect)
    agent.history[2]["content"][0]["content"] = "[cleared]"
    calls = agent.ask("Note that, too. [[scenario:note]]")
    return agent.results(calls, ["Noted again."])


def unanswered(connect):
    """The user goes on instead of the tool, and the last call is never answered."""
    agent = Messages(connect(), "You keep notes.", tool("note", "what"))
    agent.ask("Note this. [[scenario:note]]")
    agent.ask("No, leave that; note this. [[scenario:note]]")


def interrupted(connect):
    """The user stops the answer before it begins, and says something else."""
    agent = Messages(connect(), "You keep notes.", tool("note", "what"))
    agent.history = [{"role": "user", "content": "Take your time. [[scenario:slow]]"}]
    agent.server.send("/v1/messages", agent.body())
    agent.server.connection.close()
    agent.server = connect()
    return agent.results(agent.ask("Note this. [[scenario:note]]"), ["Noted."])


def beside(connect):
    """What a command line tool asks beside the conversation: is all well, how long is it, a title."""
    server = connect()
    small = {"model": "claude-haiku-4-5"}
    server.post("/v1/messages", {**small, "max_tokens": 1,
                                 "messages": [{"role": "user", "content": "quota"}]})
    agent = Messages(server, "You keep notes.", tool("note", "what"))
    prompt = "Note this. [[scenario:note]]"
    server.post("/v1/messages/count_tokens",
                {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": prompt}]})
    server.post("/v1/messages", {**small, "max_tokens": 64,
                                 "system": "Write a title of at most five words for this.",
                                 "messages": [{"role": "user", "content": "Note this. "
                                               "[[scenario:title]]"}]})
    return agent.results(agent.ask(prompt), ["Noted."])


def by_response_id(connect):
    """Requests hold only what is new and name the answer that they go on from."""
    server = connect()
    body = {"model": "gpt-4.1", "instructions": "You keep notes.", "store": True,
            "tools": [{"type": "function", "name": "note", "description": "Notes.",
                       "parameters": tool("note", "what")["input_schema"]}]}
    first = server.post("/v1/responses", {**body, "input": "Note this. [[scenario:note]]"})
    call = next(item for item in first["output"] if item["type"] == "function_call")
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "Noted."}
    second = server.post("/v1/responses", {**body, "input": [result],
                                           "previous_response_id": first["id"]})
    server.post("/v1/responses", {**body, "input": "And now? [[scenario:text]]",
                                  "previous_response_id": second["id"]})


def by_conversation_id(connect):
    """The provider keeps the history; its id is all that requests have in common."""
    server = connect()
    for prompt in ("Good morning. [[scenario:text]]", "And now? [[scenario:text]]"):
        server.post("/v1/responses", {"model": "gpt-4.1", "conversation": "conv_morning",
                                      "input": prompt})


def retrieval(connect):
    """Embeddings, a search, what is found put in order, and a question about it."""
    server = connect()
    question = "Which part is warm?"
    server.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": [question],
                                   "dimensions": 4, "encoding_format": "float"})
    found = server.post("/v1/vector_stores/vs_maps/search",
                        {"query": question, "max_num_results": 2})["data"]
    texts = [part["text"] for document in found for part in document["content"]]
    server.post("/v2/rerank", {"model": "rerank-v3.5", "query": question, "documents": texts})
    agent = Messages(server, "You answer from these: " + " ".join(texts))
    return agent.ask(question + " [[scenario:text]]")


def served(connect):
    """Asks the model for another program, in the trace that the request belongs to; once."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            question = self.rfile.read(int(self.headers["content-length"])).decode()
            model = connect()
            model.headers["traceparent"] = self.headers["traceparent"]
            answer = Messages(model, "You are asked by others.").ask(question).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.handle_request()
    return "served"


def through_a_service(_connect):
    """Has another program ask the model, and says which trace it is in."""
    command = [sys.executable, *sys.argv[:-1], "served"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as service:
        port = int(service.stdout.readline())
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/ask", b"Good morning. [[scenario:text]]", {
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
        answer = connection.getresponse().read().decode()
        service.stdout.read()
        return answer


SERVED = 20  # requests that are answered at once


def served_at_once(connect):
    """Asks the model for as many others at once, each in the trace that its request belongs to."""
    all_here = threading.Barrier(SERVED)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            question = self.rfile.read(int(self.headers["content-length"])).decode()
            model = connect()
            trace, number = self.headers["traceparent"].split("-")[1], int(self.path[5:])
            model.headers["traceparent"] = f"00-{trace}-{number + 1:016x}-01"
            agent = Messages(model, "You are asked by others.", tool("note", "what"))
            all_here.wait()
            answer = agent.results(agent.ask(question), ["Noted."]).encode()
            all_here.wait()  # none is answered before all have asked
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args):
            pass

    class Service(http.server.ThreadingHTTPServer):
        request_queue_size, daemon_threads = SERVED, False

    with Service(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        for _ in range(SERVED):
            server.handle_request()
    return "served"


def many_through_a_service(_connect):
    """Has another program ask the model, many times at once, each time in another trace."""
    command = [sys.executable, *sys.argv[:-1], "served_at_once"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as service:
        port = int(service.stdout.readline())

        def ask(number):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("POST", f"/ask/{number}", f"Note #{number}. [[scenario:note]]", {
                "traceparent": f"00-{number + 1:032x}-b7ad6b7169203331-01"})
            connection.getresponse().read()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(SERVED)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        service.stdout.read()
        return "asked"


SCRIPTS = {script.__name__: script for script in (
    sub_agents, hand_off, compaction, edited, unanswered, interrupted, beside, by_response_id,
    by_conversation_id, retrieval, through_a_service, served,
    many_through_a_service, served_at_once)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--ca", required=True, help="file with the certificates to trust")
    parser.add_argument("script", choices=SCRIPTS)
    options = parser.parse_args()
    print(SCRIPTS[options.script](lambda: Server(options.base_url, options.ca)))


if __name__ == "__main__":
    main()
