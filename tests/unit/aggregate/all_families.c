/* all_families: an exposition, on standard output, in which every family of the aggregate occurs
 * with every label it can have. */
#include "exporters/prometheus/prometheus_text.h"
#include "tests/unit/aggregate/scene.h"

#include <stdio.h>

static struct aggregate_shard *shop_new(struct directory **directory_out)
{
    const struct directory_entry entries[] = {
        {scene_endpoint("10.0.0.1:1").address, 128, 0, "shop", "gateway"},
        {scene_endpoint("10.0.0.2:1").address, 128, 0, "store", "orders"},
    };
    struct aggregate_options options = scene_options();
    options.body_sizes = true;
    options.await_pods = true;
    *directory_out = directory_new(entries, 2);
    return *directory_out == NULL ? NULL : aggregate_shard_new(&options, *directory_out);
}

static void feed_connection(struct aggregate_shard *shard, struct connection *connection)
{
    struct exchange exchange = scene_exchange("/users/{id}", 200);
    scene_event(shard, connection, CONNECTION_CONNECT_SERVER_NS, 1000000);
    scene_event(shard, connection, CONNECTION_CONNECT_CLIENT_NS, 20000000);
    scene_event(shard, connection, CONNECTION_OPENED, 0);
    scene_event(shard, connection, CONNECTION_REQUEST_BEGAN, 0);
    scene_event(shard, connection, CONNECTION_REQUEST_ENDED, 0);
    scene_feed(shard, connection, &exchange);
    exchange.status = 503;
    exchange.ambiguous = true;
    scene_feed(shard, connection, &exchange);
    exchange.outcome = EXCHANGE_REQUEST_ONLY;
    exchange.reason = EXCHANGE_REASON_GAP;
    scene_feed(shard, connection, &exchange);
    scene_event(shard, connection, CONNECTION_BLIND, 0);
    scene_event(shard, connection, CONNECTION_BLIND_BYTES, 5000);
    scene_event(shard, connection, CONNECTION_CLOSED, 0);
}

static int write_all(struct aggregate_shard *shard)
{
    struct byte_writer out;
    struct prometheus_text text;
    byte_writer_init(&out);
    prometheus_text_init(&text, &out);
    struct metric_sink sink = prometheus_text_sink(&text);
    int result = aggregate_write(&shard, 1, &sink);
    if (prometheus_text_fini(&text) != 0 || result != 0 ||
        fwrite(out.data, 1, out.length, stdout) != out.length) {
        result = 1;
    }
    byte_writer_fini(&out);
    return result;
}

int main(void)
{
    struct directory *directory = NULL;
    struct aggregate_shard *shard = shop_new(&directory);
    int result = 1;
    if (shard != NULL) {
        struct connection server = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", "10.0.0.2:80");
        struct connection client = scene_connection(EXCHANGE_CLIENT, "10.0.0.1:1", "10.0.0.2:80");
        feed_connection(shard, &server);
        feed_connection(shard, &client);
        result = write_all(shard);
    }
    aggregate_shard_free(shard);
    directory_free(directory);
    return result;
}
