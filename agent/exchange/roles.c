#include "agent/exchange/roles.h"

static enum exchange_side side_of(const struct pairing *pairing, const struct flow *flow,
                                  unsigned client_side)
{
    enum frame_direction from_client = flow->streams[client_side].direction;
    enum frame_direction from_server = flow->streams[1 - client_side].direction;
    if (from_client == FRAME_TO_POD) {
        return EXCHANGE_SERVER;
    }
    if (from_client == FRAME_FROM_POD) {
        return EXCHANGE_CLIENT;
    }
    if (from_server != FRAME_DIRECTION_UNKNOWN) {
        return from_server == FRAME_TO_POD ? EXCHANGE_CLIENT : EXCHANGE_SERVER;
    }
    return pairing->default_side;
}

void roles_set(struct pairing *pairing, struct flow *flow, unsigned client_side)
{
    struct conversation *conversation = conversation_of(flow);
    if (!conversation->roles_known) {
        conversation->roles_known = true;
        conversation->client_side = client_side;
        conversation->connection.client = flow_endpoint(flow, client_side);
        conversation->connection.server = flow_endpoint(flow, 1 - client_side);
        conversation->connection.interface = flow->key.interface;
        conversation->connection.side = side_of(pairing, flow, client_side);
    }
}

static bool is_server_port(const struct pairing *pairing, uint16_t port)
{
    for (size_t i = 0; i < pairing->server_port_count; i++) {
        if (pairing->server_ports[i] == port) {
            return true;
        }
    }
    return false;
}

unsigned roles_guess(const struct pairing *pairing, const struct flow *flow)
{
    if (is_server_port(pairing, flow->key.port[0]) != is_server_port(pairing, flow->key.port[1])) {
        return is_server_port(pairing, flow->key.port[0]) ? 1 : 0;
    }
    return flow->key.port[0] < flow->key.port[1] ? 1 : 0;
}
