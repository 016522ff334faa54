# SPDX-License-Identifier: BSD-2-Clause
"""What the mock answers to requests that hold no prompt: token counts and retrieval."""

DOCUMENTS = ["file-north", "file-south"]


def count_tokens(body):
    return {"input_tokens": sum(len(str(message["content"])) for message in body["messages"]) // 4}


def embeddings(body):
    data = [{"object": "embedding", "index": i, "embedding": [0.25, -0.5, 0.125, 1.0]}
            for i in range(len(body["input"]))]
    tokens = sum(len(text) for text in body["input"]) // 4
    return {"object": "list", "data": data, "model": body["model"],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def vector_store(body):
    data = [{"file_id": name, "filename": name + ".md", "score": 0.75 - i / 4, "attributes": {},
             "content": [{"type": "text", "text": "What " + name + " says."}]}
            for i, name in enumerate(DOCUMENTS)]
    return {"object": "vector_store.search_results.page", "search_query": body["query"],
            "data": data, "has_more": False, "next_page": None}


def rerank(body):
    results = [{"index": i, "relevance_score": 0.5 + i / 4} for i in range(len(body["documents"]))]
    return {"id": "rerank-1", "results": results[::-1],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}}


ANSWERS = {
    ("POST", "/v1/messages/count_tokens"): count_tokens,
    ("POST", "/v1/embeddings"): embeddings,
    ("POST", "/v1/vector_stores/vs_maps/search"): vector_store,
    ("POST", "/v2/rerank"): rerank,
}
