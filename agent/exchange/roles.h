#pragma once

#include "agent/exchange/conversation.h"
#include "agent/tcp/flow.h"

/* Who of a flow's two sides is the client, and on which end it was captured. */

/* Settles it, once, and names the connection's ends. */
void roles_set(struct pairing *pairing, struct flow *flow, unsigned client_side);

/* Where neither handshake nor bytes tell: a configured port, else the lower one is the server's. */
unsigned roles_guess(const struct pairing *pairing, const struct flow *flow);

static inline struct conversation *conversation_of(struct flow *flow)
{
    return (struct conversation *)flow->user;
}

static inline enum conversation_role role_of(const struct conversation *conversation, unsigned side)
{
    return side == conversation->client_side ? ROLE_CLIENT : ROLE_SERVER;
}
