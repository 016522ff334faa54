// SPDX-License-Identifier: BSD-2-Clause
// HTTP/2 in front of the mock server, which speaks HTTP/1.1: node h2.mjs PORT CA-FILE.  Uses the mock's
// own certificate, beside its CA; prints its port when it is ready.
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import { dirname, join } from "node:path";

const [port, caFile] = process.argv.slice(2);
const folder = dirname(caFile);
const ca = readFileSync(caFile);
const agent = new https.Agent({ keepAlive: true });

function forward(request, response) {
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => !name.startsWith(":")),
  );
  const options = { host: "127.0.0.1", port, ca, agent, headers, method: request.method, path: request.url };
  const upstream = https.request(options, (answer) => {
    const { connection, "keep-alive": keep, "transfer-encoding": coding, ...rest } = answer.headers;
    response.writeHead(answer.statusCode, rest);
    answer.pipe(response);
  });
  upstream.on("error", () => response.stream.close());
  request.pipe(upstream);
}

const server = http2.createSecureServer(
  { cert: readFileSync(join(folder, "leaf.pem")), key: readFileSync(join(folder, "leaf.key")) },
  forward,
);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
