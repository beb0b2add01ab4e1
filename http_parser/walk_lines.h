#pragma once

#include "http_parser/chars.h"
#include "http_parser/names.h"
#include "http_parser/walk.h"
#include "http_parser/walk_block.h"

/*
 * What every walker does with its marks. Names and line ends of all lines of a block are checked at
 * once, with an addition and some shifts; single lines are only gone through to see whether their
 * names are known.
 */
struct http_walk_state {
    struct http_walk_carry carry;
    const char *name;  /* the field line that is being read; NULL: the first line */
    const char *colon; /* its colon; NULL: not seen yet */
};

/* The line that ends with `feed`; false: it is not plain. */
HTTP_ALWAYS_INLINE bool http_walk_end_line(struct http_walk_state *state, const char *colon,
                                           const char *feed, struct http_walk_found *found)
{
    const char *name = state->name;
    if (*colon != ':')
        return false;
    state->name = feed + 1;
    if (!http_names_may_be_known(name, (size_t)(colon - name)))
        return true;
    if (found->count == HTTP_WALK_LINES_MAX)
        return false;
    found->lines[found->count++] = (struct http_names_line){
        {name, (size_t)(colon - name)}, {colon + 1, (size_t)(feed - colon - 1)}};
    return true;
}

/* The field lines that end in the block: each has one name's end and one LF, in turns. */
HTTP_ALWAYS_INLINE bool http_walk_end_lines(struct http_walk_state *state, const char *at,
                                            uint64_t name_ends, uint64_t feeds,
                                            struct http_walk_found *found)
{
    if (state->colon != NULL && feeds != 0) {
        if (!http_walk_end_line(state, state->colon, at + __builtin_ctzll(feeds), found))
            return false;
        state->colon = NULL;
        feeds &= feeds - 1;
    }
    for (; feeds != 0; feeds &= feeds - 1, name_ends &= name_ends - 1) {
        if (!http_walk_end_line(state, at + __builtin_ctzll(name_ends), at + __builtin_ctzll(feeds),
                                found))
            return false;
    }
    if (name_ends != 0)
        state->colon = at + __builtin_ctzll(name_ends);
    return true;
}

/* The part of the first line that is in the block; takes its LF from `feeds`. */
HTTP_ALWAYS_INLINE void http_walk_first_line(struct http_walk_state *state,
                                             const struct http_walk_block *block, uint64_t *feeds,
                                             struct http_walk_found *found)
{
    if (found->word_end == NULL && block->marks.breaks != 0)
        found->word_end = block->at + __builtin_ctzll(block->marks.breaks);
    if (*feeds == 0)
        return;
    found->feed = block->at + __builtin_ctzll(*feeds);
    state->name = found->feed + 1;
    *feeds &= *feeds - 1;
}

HTTP_ALWAYS_INLINE enum http_walk http_walk_lines(const char *bytes, const char *at,
                                                  const char *end, struct http_walk_found *found,
                                                  http_marker *mark, http_odd_marker *mark_odd)
{
    char copy[HTTP_BLOCK_LENGTH];
    struct http_walk_state state = {0};
    struct http_walk_block block;
    found->word_end = NULL;
    found->count = 0;
    for (block.at = at; block.at < end; block.at += HTTP_BLOCK_LENGTH) {
        http_walk_load(&block, bytes, end, copy, mark);
        uint64_t feeds = block.marks.feeds;
        uint64_t starts = feeds << 1 | state.carry.starts_line;
        /* lines that begin with no name: first of all the empty line */
        uint64_t nameless = starts & (block.marks.breaks | block.marks.returns);
        uint64_t kept = UINT64_MAX;
        uint64_t name_ends;
        if (nameless != 0) {
            const char *line = block.at + __builtin_ctzll(nameless);
            kept = (nameless & -nameless) - 1;
            found->behind = http_chars_empty_line(line, end);
            if (found->behind == NULL)
                return HTTP_WALK_INCOMPLETE;
            if (found->behind == line)
                return HTTP_WALK_ODD;
        } else if (end - block.at < HTTP_BLOCK_LENGTH) {
            return HTTP_WALK_INCOMPLETE;
        }
        if (!http_walk_check(&state.carry, &block, starts, kept, mark_odd, &name_ends))
            return HTTP_WALK_ODD;
        feeds &= kept;
        if (state.name == NULL)
            http_walk_first_line(&state, &block, &feeds, found);
        if (!http_walk_end_lines(&state, block.at, name_ends, feeds, found))
            return HTTP_WALK_ODD;
        if (nameless != 0)
            return HTTP_WALK_DONE;
    }
    return HTTP_WALK_INCOMPLETE;
}
