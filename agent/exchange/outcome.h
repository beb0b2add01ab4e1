#pragma once

/* How an exchange ended, and why a message stands alone. */
enum exchange_outcome {
    EXCHANGE_COMPLETE,
    /* What went wrong between client and server: the error_type of the metrics. */
    EXCHANGE_CLIENT_CLOSED,      /* the client ended the connection before the answer was whole */
    EXCHANGE_SERVER_CLOSED,      /* the server ended it without an answer */
    EXCHANGE_CONNECTION_RESET,   /* the server reset it before the answer was whole */
    EXCHANGE_TRUNCATED_RESPONSE, /* the server ended it inside the answer's body */
    EXCHANGE_TIMEOUT,            /* nothing more came until the idle connection expired */
    EXCHANGE_UNPARSABLE,         /* what came as an answer was not HTTP */
    /* What the observer missed; never an error of the application. */
    EXCHANGE_REQUEST_ONLY,
    EXCHANGE_RESPONSE_ONLY,
};

/* Why a request or a response stands alone. */
enum exchange_reason {
    EXCHANGE_REASON_NONE,
    EXCHANGE_REASON_CAPTURE_END,
    EXCHANGE_REASON_GAP,
    EXCHANGE_REASON_EVICTED,
    EXCHANGE_REASON_INTERFACE_GONE,
    EXCHANGE_REASON_MIDSTREAM,
    EXCHANGE_REASON_UNSOLICITED, /* an answer to nothing, as 408 on an idle connection */
};

/* What the request's trace context says about recording its trace. */
enum exchange_sampling {
    EXCHANGE_SAMPLING_OPEN, /* nothing */
    EXCHANGE_NOT_SAMPLED,
    EXCHANGE_SAMPLED
};

/* The names used in JSON and in metrics: "complete", "client_closed", ...; "gap", ... */
const char *exchange_outcome_name(enum exchange_outcome outcome);
const char *exchange_reason_name(enum exchange_reason reason);
