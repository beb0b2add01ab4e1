#include "agent/exchange/exchange.h"

struct connection_event exchange_end(const struct exchange *exchange)
{
    return (struct connection_event){
        .kind = CONNECTION_REQUEST_ENDED, .amount = 1, .method = exchange->method};
}

const char *exchange_outcome_name(enum exchange_outcome outcome)
{
    static const char *const names[] = {
        [EXCHANGE_COMPLETE] = "complete",
        [EXCHANGE_CLIENT_CLOSED] = "client_closed",
        [EXCHANGE_SERVER_CLOSED] = "server_closed",
        [EXCHANGE_CONNECTION_RESET] = "connection_reset",
        [EXCHANGE_TRUNCATED_RESPONSE] = "truncated_response",
        [EXCHANGE_TIMEOUT] = "timeout",
        [EXCHANGE_UNPARSABLE] = "unparsable",
        [EXCHANGE_REQUEST_ONLY] = "request_only",
        [EXCHANGE_RESPONSE_ONLY] = "response_only",
    };
    return names[outcome];
}

const char *exchange_reason_name(enum exchange_reason reason)
{
    static const char *const names[] = {
        [EXCHANGE_REASON_NONE] = "",
        [EXCHANGE_REASON_CAPTURE_END] = "capture_end",
        [EXCHANGE_REASON_GAP] = "gap",
        [EXCHANGE_REASON_EVICTED] = "evicted",
        [EXCHANGE_REASON_INTERFACE_GONE] = "interface_gone",
        [EXCHANGE_REASON_MIDSTREAM] = "midstream",
        [EXCHANGE_REASON_UNSOLICITED] = "unsolicited",
    };
    return names[reason];
}
