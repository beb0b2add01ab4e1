#include "agent/commands/exchange_tap.h"

#include "agent/commands/event.h"

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    const struct exchange_tap *tap = context;
    struct event_texts texts;
    struct aggregate_ends ends;
    pipeline_ends(tap->pipeline, connection, &ends);
    struct exchange_record record = event_record(connection, exchange, &ends, &texts);
    delivery_offer(tap->inlet, &record);
}

struct exchange_sink exchange_tap_sink(struct exchange_tap *tap)
{
    return (struct exchange_sink){.context = tap, .exchange = on_exchange};
}
