#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Posts what comes in on stdin as JSON and prints the answer: post.py CLIENT URL CA-FILE.

CLIENT is an HTTP library for Python (requests, httpx, httpx2 for HTTP/2, aiohttp) or the file of a
libcurl.  Exits 77 when it is not installed.
"""

import asyncio
import ctypes
import importlib
import ssl
import sys

HEADERS = {"content-type": "application/json"}
OPT_WRITEDATA, OPT_URL, OPT_POSTFIELDS, OPT_CAINFO, OPT_HTTPHEADER = 10001, 10002, 10015, 10065, 10023
OPT_POSTFIELDSIZE = 60


def absent(error):
    print(error, file=sys.stderr)
    sys.exit(77)


def library(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        absent(error)


def by_requests(url, ca, body):
    requests = library("requests")
    with requests.post(url, data=body, headers=HEADERS, verify=ca, stream=True, timeout=30) as answer:
        return b"".join(answer.iter_content(None))


def by_httpx(url, ca, body, http2=False):
    httpx = library("httpx")
    if http2:
        library("h2")
    context = ssl.create_default_context(cafile=ca)
    with httpx.Client(verify=context, http2=http2) as client:
        with client.stream("POST", url, content=body, headers=HEADERS) as answer:
            return b"".join(answer.iter_bytes())


def by_aiohttp(url, ca, body):
    aiohttp = library("aiohttp")
    context = ssl.create_default_context(cafile=ca)

    async def post():
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            async with session.post(url, data=body, ssl=context) as answer:
                return await answer.read()

    return asyncio.run(post())


def by_libcurl(path, url, ca, body):
    try:
        curl = ctypes.CDLL(path)
    except OSError as error:
        absent(error)
    libc = ctypes.CDLL(None)
    libc.tmpfile.restype = curl.curl_easy_init.restype = curl.curl_slist_append.restype = ctypes.c_void_p
    out, easy = ctypes.c_void_p(libc.tmpfile()), ctypes.c_void_p(curl.curl_easy_init())
    headers = ctypes.c_void_p(curl.curl_slist_append(None, b"content-type: application/json"))
    options = {
        OPT_URL: url.encode(),
        OPT_CAINFO: ca.encode(),
        OPT_POSTFIELDS: body,
        OPT_POSTFIELDSIZE: ctypes.c_long(len(body)),
        OPT_HTTPHEADER: headers,
        OPT_WRITEDATA: out,
    }
    for option, value in options.items():
        if curl.curl_easy_setopt(easy, option, value):
            sys.exit(f"libcurl does not take option {option}")
    code = curl.curl_easy_perform(easy)
    curl.curl_easy_cleanup(easy)
    if code:
        sys.exit(f"libcurl fails with {code}")
    size = libc.ftell(out)
    libc.rewind(out)
    answer = ctypes.create_string_buffer(size)
    libc.fread(answer, 1, size, out)
    return answer.raw


def main():
    client, url, ca = sys.argv[1:]
    body = sys.stdin.buffer.read()
    if client == "requests":
        answer = by_requests(url, ca, body)
    elif client in ("httpx", "httpx2"):
        answer = by_httpx(url, ca, body, http2=client == "httpx2")
    elif client == "aiohttp":
        answer = by_aiohttp(url, ca, body)
    else:
        answer = by_libcurl(client, url, ca, body)
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    main()
