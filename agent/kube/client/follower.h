#pragma once

#include "agent/kube/client/api_client.h"
#include "agent/kube/client/watch.h"

#include <stdint.h>

/* A watch with the requests it asks for: one at a time, made with the client. The client's thread.
 */
struct follower;

/* NULL: out of memory. The client outlives the follower. */
struct follower *follower_new(struct api_client *client, const struct watch_options *options);
void follower_free(struct follower *follower);

/* Makes the request that is due; ends one that has stalled. */
void follower_step(struct follower *follower, int64_t now_ns);

/* When follower_step has something to do at the latest. */
int64_t follower_due_ns(const struct follower *follower);

struct watch_state follower_state(const struct follower *follower);
/* Of all bodies, as they came over the wire. */
uint64_t follower_bytes(const struct follower *follower);
