-- SPDX-License-Identifier: BSD-2-Clause
--
-- The store, version 4.  user/sink/store.h says what it promises; user/sink/store_write.c fills it.
-- What is filtered most is taken out of the attributes here and nowhere else, so a column and its
-- attribute cannot disagree.  Texts are valid JSON where the name is that of a JSON field of the span
-- record (schemas/span.schema.json).

PRAGMA application_id = 1381191758; -- "RSPN"
PRAGMA user_version = 4;

-- What the spans of a run have in common, each once.
CREATE TABLE resource (
	id INTEGER PRIMARY KEY,
	body TEXT NOT NULL UNIQUE
);

CREATE TABLE span (
	seq INTEGER PRIMARY KEY, -- order in which spans finished
	trace_id TEXT NOT NULL,
	span_id TEXT NOT NULL,
	parent_span_id TEXT NOT NULL,
	name TEXT NOT NULL,
	what TEXT NOT NULL, -- ringspan.kind
	kind TEXT NOT NULL, -- OpenTelemetry's: INTERNAL, SERVER, CLIENT
	start_ns INTEGER NOT NULL,
	end_ns INTEGER NOT NULL,
	duration_ns INTEGER GENERATED ALWAYS AS (end_ns - start_ns) VIRTUAL,
	status TEXT NOT NULL, -- UNSET, OK, ERROR
	status_message TEXT NOT NULL,
	model TEXT GENERATED ALWAYS AS (coalesce(
		json_extract(attributes, '$."gen_ai.request.model"'),
		json_extract(attributes, '$."gen_ai.response.model"'))) STORED,
	provider TEXT GENERATED ALWAYS AS (json_extract(attributes, '$."gen_ai.provider.name"')) STORED,
	agent TEXT GENERATED ALWAYS AS (json_extract(attributes, '$."gen_ai.agent.name"')) STORED,
	tool TEXT GENERATED ALWAYS AS (json_extract(attributes, '$."gen_ai.tool.name"')) STORED,
	error_type TEXT GENERATED ALWAYS AS (json_extract(attributes, '$."error.type"')) STORED,
	host TEXT GENERATED ALWAYS AS (json_extract(attributes, '$."server.address"')) STORED,
	input_tokens INTEGER GENERATED ALWAYS AS (
		json_extract(attributes, '$."gen_ai.usage.input_tokens"')) STORED,
	output_tokens INTEGER GENERATED ALWAYS AS (
		json_extract(attributes, '$."gen_ai.usage.output_tokens"')) STORED,
	tokens INTEGER GENERATED ALWAYS AS (CASE
		WHEN coalesce(input_tokens, output_tokens) IS NOT NULL
		THEN coalesce(input_tokens, 0) + coalesce(output_tokens, 0) END) VIRTUAL,
	cost_usd REAL GENERATED ALWAYS AS (json_extract(attributes, '$."ringspan.cost.usd"')) STORED,
	attempts INTEGER GENERATED ALWAYS AS (json_extract(attributes, '$."ringspan.attempts"')) STORED,
	exit_code INTEGER GENERATED ALWAYS AS (json_extract(attributes, '$."process.exit.code"')) STORED,
	pid INTEGER GENERATED ALWAYS AS (json_extract(attributes, '$."process.pid"')) STORED,
	unfinished INTEGER GENERATED ALWAYS AS ( -- 1: it was not over when this was written
		json_extract(attributes, '$."ringspan.unfinished"')) STORED,
	resource INTEGER NOT NULL REFERENCES resource (id),
	attributes TEXT NOT NULL, -- without payloads
	events TEXT NOT NULL,
	links TEXT NOT NULL,
	UNIQUE (trace_id, span_id)
);

CREATE INDEX span_by_run ON span (trace_id, start_ns);
CREATE INDEX span_by_start ON span (start_ns);
CREATE INDEX span_by_id ON span (span_id);
CREATE INDEX span_unfinished ON span (trace_id) WHERE unfinished = 1;
CREATE INDEX span_done ON span (trace_id) WHERE unfinished IS NULL; -- by seq behind that
CREATE INDEX span_over ON span (end_ns, trace_id) WHERE what = 'run' AND unfinished IS NULL;
CREATE INDEX span_by_resource ON span (resource);

-- Contents, each once.  data is a zstd frame, or the content itself where that is not longer.
CREATE TABLE blob (
	id INTEGER PRIMARY KEY,
	hash TEXT NOT NULL UNIQUE, -- XXH3-128 of the content
	size INTEGER NOT NULL,     -- of the content
	data BLOB NOT NULL
);

-- Lists of contents, as chains from the last one to the first: a list that goes on where another
-- ends shares all of that one.  So what a request repeats of those before it costs nothing.
CREATE TABLE node (
	id INTEGER PRIMARY KEY,
	prev INTEGER NOT NULL, -- the node before it, 0 for the first
	blob INTEGER NOT NULL REFERENCES blob (id),
	UNIQUE (prev, blob)
);

CREATE INDEX node_by_blob ON node (blob);

-- What is kept apart of a span, by attribute.
CREATE TABLE payload (
	span INTEGER NOT NULL REFERENCES span (seq) ON DELETE CASCADE,
	key TEXT NOT NULL,
	shape INTEGER NOT NULL, -- 0: one JSON text; 1: a JSON array, by element; 2: bytes, cut in pieces
	level INTEGER NOT NULL, -- 0: always shown; 1: where payloads are asked for; 2: where it is itself
	node INTEGER REFERENCES node (id), -- the last of its contents; NULL: an array without elements
	PRIMARY KEY (span, key)
) WITHOUT ROWID;

CREATE INDEX payload_by_node ON payload (node);

-- Lines that traced processes wrote to stdout (fd 1) and stderr (2).
CREATE TABLE log (
	id INTEGER PRIMARY KEY,
	trace_id TEXT NOT NULL,
	span_id TEXT NOT NULL, -- of the process, or of the run
	time_ns INTEGER NOT NULL,
	pid INTEGER NOT NULL,
	fd INTEGER NOT NULL,
	missing INTEGER NOT NULL, -- bytes before it that were not kept
	body BLOB NOT NULL
);

CREATE INDEX log_by_run ON log (trace_id, id);

-- What was counted of one system call in one process in about a second.
CREATE TABLE calls (
	id INTEGER PRIMARY KEY,
	trace_id TEXT NOT NULL,
	span_id TEXT NOT NULL, -- of the process, or of the run
	since_ns INTEGER NOT NULL,
	time_ns INTEGER NOT NULL,
	pid INTEGER NOT NULL,
	name TEXT NOT NULL,
	class TEXT NOT NULL, -- file, network, poll, futex, process, memory, other
	calls INTEGER NOT NULL,
	errors INTEGER NOT NULL,
	total_ns INTEGER NOT NULL,
	max_ns INTEGER NOT NULL, -- of the longest so far
	buckets TEXT NOT NULL,   -- JSON object: calls by bucket of duration, ev_bucket() of bpf/event.h
	errnos TEXT NOT NULL     -- JSON object: errors by errno
);

CREATE INDEX calls_by_run ON calls (trace_id, id);

-- Functions that samples were in; file: of the kernel's the module.
CREATE TABLE frame (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL, -- '': not known; of unknown ones the address
	file TEXT NOT NULL,
	code TEXT NOT NULL, -- file, generated, kernel, unknown; cut: the stack goes on outside
	UNIQUE (name, file, code)
);

-- Stacks, as chains from the innermost frame to the outermost: those that begin alike share that.
CREATE TABLE stack (
	id INTEGER PRIMARY KEY,
	parent INTEGER NOT NULL, -- the stack that this frame was called from, 0 for the outermost
	frame INTEGER NOT NULL REFERENCES frame (id),
	UNIQUE (parent, frame)
);

-- How often a thread was seen on a CPU with a stack, in one second.
CREATE TABLE sample (
	id INTEGER PRIMARY KEY,
	trace_id TEXT NOT NULL,
	span_id TEXT NOT NULL,      -- what it did that for
	time_ns INTEGER NOT NULL,   -- the second's begin
	period_ns INTEGER NOT NULL, -- what each stands for
	cnt INTEGER NOT NULL,
	pid INTEGER NOT NULL,
	tid INTEGER NOT NULL,
	comm TEXT NOT NULL,    -- of the thread
	stack INTEGER NOT NULL -- its innermost frame; 0: nothing is known of it
);

CREATE INDEX sample_by_run ON sample (trace_id, id);

-- What was removed to keep within limits of size and age: a row for each run that goes on, and one,
-- whose trace_id is empty, for all that are gone.
CREATE TABLE pruned (
	trace_id TEXT PRIMARY KEY,
	runs INTEGER NOT NULL,
	spans INTEGER NOT NULL,
	until_ns INTEGER NOT NULL -- when the latest of it ended
) WITHOUT ROWID;

-- One line a run; a run whose root span is not there yet, or unfinished, is not over.
CREATE VIEW run AS
SELECT
	trace_id,
	coalesce(
		max(CASE WHEN what = 'run' THEN name END),
		max(CASE WHEN what = 'agent' THEN name END), '') AS name,
	coalesce(
		max(CASE WHEN what IN ('run', 'agent') THEN agent END), '') AS agent,
	min(start_ns) AS start_ns,
	max(end_ns) AS end_ns,
	max(what = 'run' AND unfinished IS NULL) AS finished,
	count(*) AS span_cnt,
	sum(what = 'model_call') AS model_calls,
	sum(what = 'tool_call') AS tool_calls,
	sum(status = 'ERROR' AND what NOT IN ('run', 'agent', 'turn', 'attempt')) AS errors,
	coalesce(sum(CASE WHEN what = 'model_call' THEN attempts END), 0) AS attempts,
	coalesce(sum(CASE WHEN what IN ('model_call', 'embedding', 'retrieval') THEN input_tokens END), 0) AS input_tokens,
	coalesce(sum(CASE WHEN what IN ('model_call', 'embedding', 'retrieval') THEN output_tokens END), 0) AS output_tokens,
	sum(CASE WHEN what IN ('model_call', 'embedding', 'retrieval') THEN cost_usd END) AS cost_usd,
	sum(what = 'model_call' AND cost_usd IS NULL AND unfinished IS NULL) AS unpriced_calls,
	coalesce(max(CASE WHEN what = 'run' THEN exit_code END), -1) AS exit_code,
	coalesce((
		SELECT group_concat(model, ', ')
		FROM (
			SELECT DISTINCT m.model FROM span AS m
			WHERE m.trace_id = span.trace_id AND m.what = 'model_call' AND m.model IS NOT NULL
			ORDER BY m.model
		)), '') AS models
FROM span
GROUP BY trace_id;
