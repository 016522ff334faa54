/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every bound on what traced bytes can make us hold or do, in one place.  What goes over a bound is
 * counted or marked on the span it belongs to; it is never dropped without a word.
 */
#ifndef RINGSPAN_LIMITS_H
#define RINGSPAN_LIMITS_H

#define LIMIT_JSON_DEPTH 128           /* nesting of a JSON text */
#define LIMIT_JSON_ARENA (256u << 20)  /* bytes one parsed JSON text may take */
#define LIMIT_JSON_STEPS (4u << 20)    /* looks at keys that comparing two values may take */
#define LIMIT_SCHEMA_DEPTH 48          /* schemas inside schemas, by $ref too */
#define LIMIT_SCHEMA_STEPS 1000000     /* comparisons that checking one value may take */
#define LIMIT_HTTP_HEAD (256u << 10)   /* start line and headers of a message */
#define LIMIT_HTTP_HEADERS 256         /* header fields of a message */
#define LIMIT_HTTP_PIPELINE 256        /* requests without an answer on one connection */
#define LIMIT_HTTP2_STREAMS 256        /* streams of one connection that are remembered at once */
#define LIMIT_HPACK_TABLE 65536        /* HPACK's dynamic table, RFC 7541 4.1 */
#define LIMIT_HPACK_LOST 256           /* it may be lost so often, then headers stay unknown */
#define LIMIT_GRPC_MESSAGE (16u << 20) /* one gRPC message, decoded */
#define LIMIT_WS_SESSION (4u << 20)    /* what is kept for the next call of a WebSocket, twice */
#define LIMIT_WS_MESSAGE (16u << 20)   /* one WebSocket message, decoded */
#define LIMIT_CHUNK_LINE (4u << 10)    /* a chunk-size line with its extensions */
#define LIMIT_CODINGS 4                /* codings stacked on one body */
#define LIMIT_BODY (64u << 20)         /* decoded body that is kept of one message, */
#define LIMIT_BODY_END (1u << 20)      /* ... of which its end, where it is longer */
#define LIMIT_BODIES (1u << 30)        /* memory for bodies that are gathered, in all */
#define LIMIT_INFLATE_RATIO 2000       /* decoded bytes for one encoded, past the first MiB */
#define LIMIT_SSE_EVENT (16u << 20)    /* one server-sent event */
#define LIMIT_SSE_NAME (4u << 10)      /* the name of an event, and its id */
#define LIMIT_STREAM_PIECE (16u << 20) /* one line, array element or AWS message of a stream */
#define LIMIT_RPC_TEXT (16u << 20)     /* head of a JSON-RPC message that is kept */
#define LIMIT_RPC_TAIL (4u << 10)      /* and end of a longer one: its id may stand there */
#define LIMIT_RPC_TOOLS (4u << 20)     /* schemas of the tools that one MCP server lists */
#define LIMIT_RPC_BATCH 1024           /* messages of one batch */
#define LIMIT_RPC_STREAMS 4096         /* connections with JSON-RPC that are followed at once */
#define LIMIT_RPC_CALLS 1024           /* requests without an answer of one peer */
#define LIMIT_RPC_EVENTS 256           /* progress and log messages told of one request */
#define LIMIT_RPC_BODY (1u << 20)      /* of an HTTP request that may hold JSON-RPC */
#define LIMIT_CONNS 65536              /* connections that are followed at once */
#define LIMIT_REORDER_BYTES (4u << 20) /* bytes held while waiting for a missing piece */
#define LIMIT_REORDER_RECORDS 512      /* records held likewise */
#define LIMIT_REORDER_NS 200000000ull  /* and how long, in stream time */
#define LIMIT_PLACE_NS 2000000000ull /* how long bytes wait to be told on which socket they went */
#define LIMIT_PROCS 65536            /* processes that are remembered */
#define LIMIT_DISCOVER (64u << 20)   /* held of processes that may be agents, in all */
#define LIMIT_DISCOVER_PROC (1u << 20)  /* and of each */
#define LIMIT_DISCOVER_BODY (64u << 10) /* of a request that may tell an agent */
#define LIMIT_PROGRAMS 64     /* programs kept of one process that runs one after the other */
#define LIMIT_FAULTS 16       /* signals kept of one process */
#define LIMIT_LEAVES 64       /* calls of one run that wait for leave at a provider */
#define LIMIT_TOOL_CALLS 4096 /* tool calls without an answer in one run */
#define LIMIT_AGENTS 1024     /* conversations of one run that are remembered while they are idle */
#define LIMIT_RETRY_NS 120000000000ull /* a failed call may be retried for this long */
#define LIMIT_DNS_RECORDS 64           /* answers kept of one DNS message */
#define LIMIT_DNS_QUERIES 1024         /* DNS queries without an answer in one run */
#define LIMIT_DNS_NS 30000000000ull    /* and how long one may wait for it, in stream time */
#define LIMIT_SUSPENDS 1024            /* of the machine, that are told apart */
#define LIMIT_CLOCK_STEPS 8            /* of the wall clock that one run tells of */
#define LIMIT_DNS_NAMES 4096           /* addresses of one run whose names are remembered */
#define LIMIT_DB_TEXT (64u << 10)      /* of a statement, and of what answers it */
#define LIMIT_DB_ASKED 1024            /* statements without an answer on one connection */
#define LIMIT_DB_PREPARED 256       /* statements of one connection that are remembered by name */
#define LIMIT_DB_PARAMS 64          /* parameters of one statement that are read */
#define LIMIT_LOG_LINE (16u << 10)  /* of stdout or stderr; a longer line is told in pieces */
#define LIMIT_CHANGES 32768         /* changes of files that are held, in all */
#define LIMIT_READS 32768           /* files that were read and are held, in all */
#define LIMIT_READ_SPANS 50         /* of one process or tool call that are spans */
#define LIMIT_CHANGE_SPANS 50       /* of one process or tool call that are spans */
#define LIMIT_CHANGE_LOG 100        /* of one tool call that its span lists, and files it read */
#define LIMIT_FUNCTIONS 4096        /* functions that the user named, as found in files */
#define LIMIT_FUNCTION_DEPTH 1024   /* open calls of them that are remembered of one process */
#define LIMIT_STORE_LIST (1u << 20) /* contents of one list in the store */
#define LIMIT_CHUNK_TIMES 65536     /* arrival times kept of one response */
#define LIMIT_PROFILE_TEXT (64u << 20)    /* names of sampled code that are remembered */
#define LIMIT_PROFILE_FRAMES (256u << 10) /* how many */
#define LIMIT_PROFILE_NAMES (1u << 20)    /* addresses that have one */
#define LIMIT_PROFILE_PROGRAMS 1024       /* programs of which any is remembered */

#endif
