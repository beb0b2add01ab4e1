#pragma once

#include "exporters/byte_writer.h"
#include "exporters/exchange_record.h"

/*
 * Appends an exchange as one line: a JSON object (RFC 8259) and a line feed. Keys, each absent when
 * its value is not known, come in this order: time, side, client, server, method, target, route,
 * host, version, status, outcome, reason, ambiguous (only true), request_body_bytes,
 * response_body_bytes, interim, request_ns, server_ns, response_ns, duration_ns, connect_ns,
 * trace_id, client_namespace, client_service, server_namespace, server_service, user_agent. The
 * line is valid UTF-8: a byte that is not part of it becomes U+FFFD.
 */
void event_json_append(const struct exchange_record *record, struct byte_writer *out);
