#pragma once

#include "agent/capture/frame.h"

#include <stdint.h>

/* A LINKTYPE_ number of a capture file in this project's terms; FRAME_LINK_UNKNOWN for the ones
 * that nothing here decodes. */
enum frame_link link_type_map(uint32_t linktype);
