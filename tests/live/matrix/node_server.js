// node_server.js PORT: node:http with the answers of kinds.py; one JSON line a request on standard
// output, when its answer is finished.
"use strict";

const http = require("node:http");

const ANSWER_BYTES = [612, 1, 17, 100, 0, 1460, 3000, 5000, 20000, 65536];

function sized(response, body) {
    response.writeHead(200, { "Content-Length": body.length });
    response.end(body);
}

function chunked(response, body) {
    response.writeHead(200);
    const half = body.length >> 1;
    response.flushHeaders();
    response.write(body.subarray(0, half));
    setImmediate(() => response.end(body.subarray(half)));
}

function withTrailer(response, body) {
    response.setHeader("Trailer", "X-Sum");
    response.writeHead(200);
    response.write(body);
    response.addTrailers({ "X-Sum": "120" });
    response.end();
}

function empty(status) {
    return (response) => {
        response.writeHead(status);
        response.end();
    };
}

function text(status) {
    return (response) => {
        response.writeHead(status, { "Content-Length": 14 });
        response.end("see the status");
    };
}

const ANSWERS = {
    length: sized,
    chunked,
    trailer: withTrailer,
    echo: sized,
    store: empty(204),
    nothing: empty(204),
    unchanged: empty(304),
    fail: text(500),
    refuse: text(403),
    close: (response, body) => {
        response.setHeader("Connection", "close");
        sized(response, body);
    },
    hints: (response, body) => {
        response.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => {});
        sized(response, body);
    },
};

function answer(request, response) {
    const [, segment, id] = request.url.split("/");
    const line = { method: request.method, target: request.url, client: request.socket.remoteAddress };
    response.on("finish", () => {
        console.log(JSON.stringify({ ...line, status: response.statusCode }));
    });
    response.setHeader("X-Request-Id", id ?? "");
    const body = Buffer.alloc(ANSWER_BYTES[Number(id?.at(-1))] ?? 0, "x");
    const send = ANSWERS[segment] ?? text(404);
    if (segment === "refuse") {
        send(response, body);
        return;
    }
    request.on("end", () => send(response, body));
    request.resume();
}

const server = http.createServer({ keepAliveTimeout: 60_000 }, answer);
server.on("checkContinue", (request, response) => {
    if (!request.url.startsWith("/refuse/")) {
        response.writeContinue();
    }
    answer(request, response);
});
server.listen(Number(process.argv[2]), "0.0.0.0");
