/* pickle_machine.h - the stack, memo and values of the machine that pickle.c runs.
 *
 * Values are numbered in order of their making and refer to others by number; nothing
 * recurses over them, so a pickle that contains itself is no danger, and all are freed
 * together. Functions that fail have said why in machine.error. */
#ifndef RAG_MODEL_PICKLE_MACHINE_H
#define RAG_MODEL_PICKLE_MACHINE_H

#include "model/pickle.h"

#include <stdbool.h>

struct global_name; /* a class or function that pickle.c knows */

enum kind {
    KIND_OTHER, /* None, booleans, floats, lists: nothing of a tensor is read from them */
    KIND_MARK,
    KIND_INTEGER,
    KIND_STRING,
    KIND_TUPLE,
    KIND_DICT,
    KIND_GLOBAL,
    KIND_STORAGE,
    KIND_TENSOR,
};

struct string {
    const char *data;
    size_t size;
};

/* A value is known by its number in machine.values. */
struct value {
    enum kind kind;
    union {
        int64_t integer;
        struct string string;
        const struct global_name *global;
        struct {
            size_t first, count; /* in machine.items */
        } tuple;
        struct {
            size_t first, last; /* of a chain in machine.pairs, from 1; 0: none */
        } dict;
        struct {
            enum pickle_type type;
            struct string key;
            uint64_t elements;
        } storage;
        struct {
            uint32_t storage;
            uint32_t shape, stride; /* tuples */
            uint64_t offset;
        } tensor;
    } as;
};

struct pair {
    uint32_t key, value;
    size_t next; /* from 1 */
};

struct machine {
    const unsigned char *data;
    size_t size, at;
    size_t opcode_at; /* for messages */
    struct value *values;
    size_t value_count, value_capacity;
    uint32_t *stack;
    size_t stack_count, stack_capacity;
    uint32_t *memo;
    size_t memo_count, memo_capacity;
    uint32_t *items;
    size_t item_count, item_capacity;
    struct pair *pairs;
    size_t pair_count, pair_capacity;
    rag_error *error;
};

void machine_release(struct machine *m);

/* "the pickle is malformed at byte N: WHAT". */
rag_status machine_fail(struct machine *m, const char *what);

/* The next bytes of the pickle; a number is unsigned, little-endian, of up to 8 bytes.
 * False: cut short. */
CHECKED bool machine_take(struct machine *m, size_t size, const unsigned char **bytes);
CHECKED bool machine_take_number(struct machine *m, size_t size, uint64_t *number);

/* Pushes a value that is there, and makes and pushes a new one. */
CHECKED rag_status machine_push_number(struct machine *m, uint32_t number);
CHECKED rag_status machine_push(struct machine *m, struct value value);
CHECKED rag_status machine_push_kind(struct machine *m, enum kind kind);
CHECKED rag_status machine_push_integer(struct machine *m, int64_t integer);
/* The next bytes: a size in so many bytes, and a string of this size. */
CHECKED rag_status machine_push_string(struct machine *m, size_t bytes_of_size);

/* False: the stack is empty, or a mark is on top. */
CHECKED bool machine_pop(struct machine *m, uint32_t *number);
/* How many values lie on the stack above the last mark. False: there is none. */
CHECKED bool machine_count_above_mark(const struct machine *m, size_t *count);

/* Turns the top `count` values, or those above the last mark, into a tuple. */
CHECKED rag_status machine_tuple(struct machine *m, size_t count);
CHECKED rag_status machine_tuple_from_mark(struct machine *m);
const struct value *machine_tuple_at(const struct machine *m, const struct value *tuple,
                                     size_t i);

/* Sets the top `count` values, keys and values in turn, in the dict below them (and below
 * `marks` marks), which stays on the stack. */
CHECKED rag_status machine_set_items(struct machine *m, size_t count, size_t marks);

CHECKED rag_status machine_put_memo(struct machine *m, uint64_t place);
CHECKED rag_status machine_get_memo(struct machine *m, uint64_t place);

#endif
