// node_client.js ADDRESS PORT PLAN.json: asks with node:http, and with fetch what needs nothing
// special, what the plan says; ends with 1 unless every answer belongs to its request.
"use strict";

const fs = require("node:fs");
const http = require("node:http");

const CONNECTIONS = 3;
const [address, port, planFile] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });

function judge(planned, status, id, bytes, interim) {
    const wrong = [];
    if (status !== planned.status) {
        wrong.push(`status ${status}`);
    }
    if (id !== planned.id) {
        wrong.push(`the answer of ${id}`);
    }
    if (planned.answer_bytes !== null && bytes !== planned.answer_bytes) {
        wrong.push(`${bytes} bytes`);
    }
    if (interim.join() !== planned.interim.join()) {
        wrong.push(`interim answers ${interim}`);
    }
    if (wrong.length > 0) {
        throw new Error(wrong.join(", "));
    }
}

function head(planned) {
    const fields = { ...planned.fields };
    if (planned.body === "length") {
        fields["Content-Length"] = planned.upload_bytes;
    } else if (planned.body === "chunked") {
        fields["Transfer-Encoding"] = "chunked";
    }
    if (planned.expect) {
        fields.Expect = "100-continue";
    }
    if (planned.close) {
        fields.Connection = "close";
    }
    return fields;
}

function sendBody(request, planned) {
    const body = Buffer.alloc(planned.body ? planned.upload_bytes : 0, "u");
    if (planned.body === "chunked") {
        request.write(body.subarray(0, body.length >> 1));
        request.end(body.subarray(body.length >> 1));
    } else {
        request.end(body);
    }
}

function askHttp(planned) {
    return new Promise((resolve, reject) => {
        const interim = [];
        const request = http.request({
            host: address, port, method: planned.method, path: planned.target,
            headers: head(planned), agent,
        });
        request.on("information", (answer) => interim.push(answer.statusCode));
        request.on("error", reject);
        request.on("response", (response) => {
            let bytes = 0;
            response.on("data", (piece) => { bytes += piece.length; });
            response.on("end", () => {
                if (planned.refused) {
                    request.destroy(); // its body is never sent
                }
                resolve([response.statusCode, response.headers["x-request-id"], bytes, interim]);
            });
        });
        if (planned.expect) {
            request.on("continue", () => sendBody(request, planned));
            request.flushHeaders();
        } else {
            sendBody(request, planned);
        }
    });
}

async function askFetch(planned) {
    const response = await fetch(`http://${address}:${port}${planned.target}`, {
        method: planned.method, headers: planned.fields, cache: "no-store",
        body: planned.body ? "u".repeat(planned.upload_bytes) : undefined,
    });
    const body = await response.arrayBuffer();
    return [response.status, response.headers.get("x-request-id"), body.byteLength, []];
}

function fetchCan(planned) {
    return planned.body !== "chunked" && !planned.expect && !planned.close &&
        planned.interim.length === 0 && planned.id % 3 === 0;
}

async function work(waiting) {
    for (let planned = waiting.pop(); planned !== undefined; planned = waiting.pop()) {
        try {
            const ask = fetchCan(planned) ? askFetch : askHttp;
            judge(planned, ...await ask(planned));
        } catch (failure) {
            console.error(planned.method, planned.target, failure.message, failure.cause ?? "");
            process.exitCode = 1;
        }
    }
}

async function main() {
    const waiting = JSON.parse(fs.readFileSync(planFile)).reverse();
    await Promise.all(Array.from({ length: CONNECTIONS }, () => work(waiting)));
    agent.destroy();
}

main();
