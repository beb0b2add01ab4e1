#include "agent/tcp/held_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The queue against a model: for each byte of a short stream whether it is held, what it is and
 * with which piece it came. A failure prints its seed; VETHSCOPE_TEST_SEED=<seed> runs it first. */
enum {
    NODES = 2048,
    STREAM = 512,
    BASE = 1000
};

static struct held_store store;
static struct held_queue queue;

static int begin(void **state)
{
    (void)state;
    queue = (struct held_queue){0};
    return held_store_init(&store, NODES * sizeof(struct held), 0);
}

static int end(void **state)
{
    (void)state;
    while (queue.first[0] != NULL) {
        held_queue_pop(&store, &queue);
    }
    assert_int_equal(queue.count, 0);
    assert_int_equal(store.nodes.used, 0);
    held_store_fini(&store);
    return 0;
}

static uint64_t next_ack; /* of the next piece */

static struct held_overlap insert(uint64_t offset, const char *bytes, uint32_t captured,
                                  uint32_t length)
{
    struct piece piece = {
        .bytes = bytes, .captured = captured, .length = length, .offset = offset, .ack = next_ack};
    struct held_overlap overlap;
    assert_true(held_queue_insert(&store, &queue, &piece, (struct moment){0}, &overlap));
    assert_int_equal(piece.length, 0);
    return overlap;
}

/* Ascending without overlaps on the lowest level; every level a part of the one below. */
static void assert_sound(void)
{
    uint32_t count = 0;
    for (const struct held *held = queue.first[0]; held != NULL; held = held->next[0]) {
        assert_true(held->length > 0 && held->captured <= held->length);
        assert_true(held->next[0] == NULL || held_end(held) <= held->next[0]->offset);
        assert_true(held->next[0] != NULL || held == queue.last[0]);
        count++;
    }
    assert_int_equal(count, queue.count);
    for (unsigned level = 1; level < HELD_LEVELS; level++) {
        const struct held *below = queue.first[level - 1];
        const struct held *last = NULL;
        for (const struct held *held = queue.first[level]; held != NULL; held = held->next[level]) {
            assert_true(held->levels > level);
            while (below != held) {
                assert_non_null(below);
                below = below->next[level - 1];
            }
            last = held;
        }
        assert_ptr_equal(last, queue.last[level]);
    }
}

/* ---- a random queue ---- */

struct model {
    uint64_t random;
    bool held[STREAM];
    bool captured[STREAM];
    char bytes[STREAM];
    uint64_t least_ack[STREAM]; /* of the copies of the byte */
    uint32_t front;             /* bytes before were popped */
};

static unsigned pick(struct model *model, unsigned choices)
{
    model->random ^= model->random >> 12;
    model->random ^= model->random << 25;
    model->random ^= model->random >> 27;
    return (unsigned)((model->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % choices;
}

static void insert_random(struct model *model)
{
    uint32_t at = model->front + pick(model, STREAM - model->front);
    uint32_t most = pick(model, 4) == 0 ? STREAM : 12;
    uint32_t length = 1 + pick(model, most);
    length = length < STREAM - at ? length : STREAM - at;
    uint32_t captured = pick(model, 5) == 0 ? pick(model, length + 1) : length;
    char bytes[STREAM];
    struct held_overlap expected = {0};
    next_ack = pick(model, 8);
    for (uint32_t i = 0; i < length; i++) {
        bytes[i] = (char)('a' + pick(model, 2));
        if (model->held[at + i]) {
            expected.repeated++;
            expected.conflicting +=
                i < captured && model->captured[at + i] && model->bytes[at + i] != bytes[i];
            if (next_ack < model->least_ack[at + i]) {
                model->least_ack[at + i] = next_ack;
            }
        } else {
            model->least_ack[at + i] = next_ack;
            model->held[at + i] = true;
            model->captured[at + i] = i < captured;
            model->bytes[at + i] = bytes[i];
        }
    }
    struct held_overlap overlap = insert(BASE + at, bytes, captured, length);
    assert_int_equal(overlap.repeated, expected.repeated);
    assert_int_equal(overlap.conflicting, expected.conflicting);
}

static void pop_one(struct model *model)
{
    const struct held *head = queue.first[0];
    if (head != NULL) {
        model->front = (uint32_t)(held_end(head) - BASE);
        for (uint64_t i = head->offset - BASE; i < model->front; i++) {
            model->held[i] = false;
        }
        held_queue_pop(&store, &queue);
    }
}

static void assert_like(const struct model *model)
{
    bool seen[STREAM] = {0};
    for (const struct held *held = queue.first[0]; held != NULL; held = held->next[0]) {
        for (uint32_t i = 0; i < held->length; i++) {
            uint64_t at = held->offset - BASE + i;
            assert_true(at < STREAM && model->held[at]);
            assert_true(held->ack <= model->least_ack[at]);
            assert_int_equal(i < held->captured, model->captured[at]);
            assert_true(i >= held->captured || held->bytes[i] == model->bytes[at]);
            seen[at] = true;
        }
    }
    assert_memory_equal(seen, model->held, sizeof(seen));
}

static void run_random_case(uint64_t seed)
{
    struct model model = {.random = seed * UINT64_C(0x9e3779b97f4a7c15)};
    unsigned steps = 1 + pick(&model, 80);
    while (steps-- > 0 && model.front < STREAM) {
        if (pick(&model, 6) == 0) {
            pop_one(&model);
        } else {
            insert_random(&model);
        }
        assert_sound();
    }
    assert_like(&model);
    while (queue.first[0] != NULL) {
        held_queue_pop(&store, &queue);
    }
}

static uint64_t running_seed;

static void say_seed(void)
{
    if (running_seed != 0) {
        fprintf(stderr, "failed with VETHSCOPE_TEST_SEED=%llu\n", (unsigned long long)running_seed);
    }
}

static void test_random_pieces(void **state)
{
    (void)state;
    enum {
        CASES = 3000
    };
    const char *asked = getenv("VETHSCOPE_TEST_SEED");
    uint64_t first = asked != NULL ? strtoull(asked, NULL, 0) : 1;
    print_message("%u cases from seed %llu\n", CASES, (unsigned long long)first);
    for (running_seed = first; running_seed < first + CASES; running_seed++) {
        run_random_case(running_seed);
    }
    running_seed = 0;
}

/* ---- sizes ---- */

static void test_pieces_of_many_nodes(void **state)
{
    (void)state;
    static char bytes[10 * HELD_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(i % 253);
    }
    insert(BASE, bytes, sizeof(bytes), sizeof(bytes));
    assert_int_equal(queue.count, 10);
    assert_sound();
    for (uint32_t i = 0; i < 10; i++) {
        const struct held *held = queue.first[0];
        assert_int_equal(held->offset, BASE + i * HELD_BYTES);
        assert_memory_equal(held->bytes, bytes + (size_t)i * HELD_BYTES, HELD_BYTES);
        held_queue_pop(&store, &queue);
    }
}

/* What was not captured takes no room. */
static void test_cut_pieces_take_few_nodes(void **state)
{
    (void)state;
    static char bytes[2 * HELD_BYTES];
    insert(BASE, bytes, 10, 500000);
    assert_int_equal(queue.count, 1);
    insert(BASE + 600000, bytes, sizeof(bytes), 100000);
    assert_int_equal(queue.count, 3);
    const struct held *tail = queue.last[0];
    assert_int_equal(held_end(tail), BASE + 700000);
    assert_int_equal(tail->captured, HELD_BYTES);
    insert(BASE + 800000, bytes, 0, 7);
    assert_int_equal(queue.last[0]->captured, 0);
}

/* ---- room ---- */

static uint32_t fill(struct held_queue *one, uint64_t from)
{
    uint32_t count = 0;
    for (;; count++) {
        struct piece piece = {.bytes = "x", .captured = 1, .length = 1, .offset = from + 2 * count};
        struct held_overlap overlap;
        if (!held_queue_insert(&store, one, &piece, (struct moment){0}, &overlap)) {
            assert_int_equal(piece.length, 1);
            return count;
        }
    }
}

static void empty(struct held_queue *one)
{
    while (one->first[0] != NULL) {
        held_queue_pop(&store, one);
    }
}

/* Each takes as much as it leaves free; the last ones find their share as long as there is any. */
static void test_one_queue_leaves_room_for_others(void **state)
{
    (void)state;
    enum {
        OTHERS = 4
    };
    struct held_queue others[OTHERS] = {0};
    assert_int_equal(fill(&queue, BASE), NODES / 2);
    assert_false(held_queue_has_room(&store, &queue));
    assert_false(held_queue_has_share(&store, &queue));
    assert_int_equal(fill(&others[0], BASE), NODES / 4);
    assert_int_equal(fill(&others[1], BASE), NODES / 8);
    assert_int_equal(fill(&others[2], BASE), NODES / 16);
    assert_int_equal(fill(&others[3], BASE), NODES / 16);
    assert_int_equal(store.nodes.used, NODES);
    struct held_queue late = {0};
    assert_true(held_queue_has_share(&store, &late));
    assert_false(held_queue_has_room(&store, &late));
    assert_int_equal(fill(&late, BASE), 0);
    for (unsigned i = 0; i < OTHERS; i++) {
        empty(&others[i]);
    }
    assert_true(fill(&late, BASE) > 0);
    empty(&late);
}

/* What fits of a piece is kept, and the rest told. */
static void test_room_for_a_part(void **state)
{
    (void)state;
    static char bytes[NODES * HELD_BYTES];
    struct piece piece = {
        .bytes = bytes, .captured = sizeof(bytes), .length = sizeof(bytes), .offset = BASE};
    struct held_overlap overlap;
    assert_false(held_queue_insert(&store, &queue, &piece, (struct moment){0}, &overlap));
    assert_int_equal(queue.count, NODES / 2);
    assert_int_equal(piece.offset, BASE + NODES / 2 * HELD_BYTES);
    assert_int_equal(piece.length, NODES / 2 * HELD_BYTES);
    assert_int_equal(piece.captured, piece.length);
    assert_ptr_equal(piece.bytes, bytes + piece.length);
}

static void test_least_room(void **state)
{
    (void)state;
    struct held_store small;
    assert_int_equal(held_store_init(&small, 0, 100), 0);
    assert_int_equal(small.nodes.capacity, 64);
    held_store_fini(&small);
    assert_int_equal(held_store_init(&small, 1000 * (sizeof(struct held) + 500), 500), 0);
    assert_int_equal(small.nodes.capacity, 1000);
    held_store_fini(&small);
}

/* ---- pieces ---- */

static void test_cutting_pieces(void **state)
{
    (void)state;
    struct piece piece = {.bytes = "abcdef", .captured = 6, .length = 10, .offset = 100};
    piece_drop_front(&piece, 2);
    assert_int_equal(piece.offset, 102);
    assert_int_equal(piece.length, 8);
    assert_int_equal(piece.captured, 4);
    assert_int_equal(piece.bytes[0], 'c');
    piece_keep_front(&piece, 9);
    assert_int_equal(piece.length, 8);
    piece_keep_front(&piece, 7);
    assert_int_equal(piece.length, 7);
    assert_int_equal(piece.captured, 4);
    piece_drop_front(&piece, 5);
    assert_int_equal(piece.length, 2);
    assert_int_equal(piece.captured, 0);
    piece_keep_front(&piece, 0);
    assert_int_equal(piece.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_pieces, begin, end),
        cmocka_unit_test_setup_teardown(test_pieces_of_many_nodes, begin, end),
        cmocka_unit_test_setup_teardown(test_cut_pieces_take_few_nodes, begin, end),
        cmocka_unit_test_setup_teardown(test_one_queue_leaves_room_for_others, begin, end),
        cmocka_unit_test_setup_teardown(test_room_for_a_part, begin, end),
        cmocka_unit_test(test_least_room),
        cmocka_unit_test(test_cutting_pieces),
    };
    atexit(say_seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
