/* pickle.c - the part of Python's pickle format that torch.save writes for a state dict.
 *
 * A pickle is a program for a stack machine (described opcode by opcode in CPython's
 * Lib/pickletools.py). In full it can call any function of any module, which is why loading
 * one runs what its author likes. Here the machine has values but no code:
 *
 *   - None, booleans, whole numbers, strings, tuples, lists and dicts are data;
 *   - GLOBAL names a class or function. Only those of `globals` below are known; each is
 *     just a constant, and calling it (REDUCE) means to build the value it stands for;
 *   - BINPERSID takes ('storage', CLASS, key, device, elements), torch's reference to the
 *     file data/KEY of the zip;
 *   - BUILD sets attributes (a state dict's _metadata): they are dropped.
 *
 * Every other opcode, and every other name, is refused. Values are numbered in order of
 * their making and only refer to others by number, nothing recurses over them, so a pickle
 * that contains itself is no danger; all of them are freed together. */
#include "model/pickle.h"

#include "base/memory.h"

#include <stdbool.h>
#include <string.h>

enum opcode {
    MARK = '(',
    STOP = '.',
    POP = '0',
    BINFLOAT = 'G',
    BININT = 'J',
    BININT1 = 'K',
    BININT2 = 'M',
    NONE = 'N',
    BINPERSID = 'Q',
    REDUCE = 'R',
    BINUNICODE = 'X',
    APPEND = 'a',
    BUILD = 'b',
    GLOBAL = 'c',
    APPENDS = 'e',
    BINGET = 'h',
    LONG_BINGET = 'j',
    BINPUT = 'q',
    LONG_BINPUT = 'r',
    SETITEM = 's',
    TUPLE = 't',
    SETITEMS = 'u',
    EMPTY_LIST = ']',
    EMPTY_DICT = '}',
    EMPTY_TUPLE = ')',
    PROTO = 0x80,
    TUPLE1 = 0x85,
    TUPLE2 = 0x86,
    TUPLE3 = 0x87,
    NEWTRUE = 0x88,
    NEWFALSE = 0x89,
    LONG1 = 0x8a,
    SHORT_BINUNICODE = 0x8c,
    STACK_GLOBAL = 0x93,
    MEMOIZE = 0x94,
    FRAME = 0x95,
};

enum { LAST_PROTOCOL = 5 };

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

enum global { REBUILD_TENSOR, REBUILD_PARAMETER, ORDERED_DICT, STORAGE_CLASS };

static const struct global_name {
    const char *module, *name;
    enum global global;
    enum pickle_type type; /* of a storage class */
} globals[] = {
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, PICKLE_F32},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, PICKLE_F32},
    {"collections", "OrderedDict", ORDERED_DICT, PICKLE_F32},
    {"torch", "FloatStorage", STORAGE_CLASS, PICKLE_F32},
    {"torch", "HalfStorage", STORAGE_CLASS, PICKLE_F16},
    {"torch", "BFloat16Storage", STORAGE_CLASS, PICKLE_BF16},
    {"torch", "DoubleStorage", STORAGE_CLASS, PICKLE_F64},
    {"torch", "LongStorage", STORAGE_CLASS, PICKLE_I64},
    {"torch", "IntStorage", STORAGE_CLASS, PICKLE_I32},
    {"torch", "ShortStorage", STORAGE_CLASS, PICKLE_I16},
    {"torch", "CharStorage", STORAGE_CLASS, PICKLE_I8},
    {"torch", "ByteStorage", STORAGE_CLASS, PICKLE_U8},
    {"torch", "BoolStorage", STORAGE_CLASS, PICKLE_BOOL},
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

static rag_status malformed(struct machine *m, const char *what)
{
    return fail_with(m->error, RAG_MODEL, "the pickle is malformed at byte %zu: %s",
                     m->opcode_at, what);
}

static CHECKED bool take(struct machine *m, size_t size, const unsigned char **bytes)
{
    if (size > m->size - m->at)
        return false;
    *bytes = m->data + m->at;
    m->at += size;
    return true;
}

/* An unsigned number of up to 8 bytes, little-endian. */
static CHECKED bool take_number(struct machine *m, size_t size, uint64_t *number)
{
    const unsigned char *bytes;
    if (!take(m, size, &bytes))
        return false;
    *number = 0;
    for (size_t i = 0; i < size; i++)
        *number |= (uint64_t)bytes[i] << 8 * i;
    return true;
}

static rag_status push_number(struct machine *m, uint32_t number)
{
    if (!array_reserve(&m->stack, &m->stack_capacity, m->stack_count + 1, sizeof *m->stack))
        return fail_memory(m->error);
    m->stack[m->stack_count++] = number;
    return RAG_OK;
}

/* Makes a value and pushes it. */
static rag_status push(struct machine *m, struct value value)
{
    if (m->value_count == PICKLE_MAX_VALUES)
        return malformed(m, "too many values");
    if (!array_reserve(&m->values, &m->value_capacity, m->value_count + 1, sizeof *m->values))
        return fail_memory(m->error);
    m->values[m->value_count] = value;
    return push_number(m, (uint32_t)m->value_count++);
}

static rag_status push_kind(struct machine *m, enum kind kind)
{
    return push(m, (struct value){.kind = kind});
}

static rag_status push_integer(struct machine *m, int64_t integer)
{
    return push(m, (struct value){.kind = KIND_INTEGER, .as.integer = integer});
}

static CHECKED bool pop(struct machine *m, uint32_t *number)
{
    if (m->stack_count == 0)
        return false;
    *number = m->stack[--m->stack_count];
    return m->values[*number].kind != KIND_MARK;
}

/* How many values lie on the stack above the last mark. */
static CHECKED bool count_above_mark(const struct machine *m, size_t *count)
{
    for (size_t i = m->stack_count; i-- > 0;)
        if (m->values[m->stack[i]].kind == KIND_MARK) {
            *count = m->stack_count - i - 1;
            return true;
        }
    return false;
}

/* Turns the top `count` values into a tuple. */
static rag_status make_tuple(struct machine *m, size_t count)
{
    if (count > m->stack_count)
        return malformed(m, "the stack is too short");
    if (!array_reserve(&m->items, &m->item_capacity, m->item_count + count, sizeof *m->items))
        return fail_memory(m->error);
    size_t first = m->item_count;
    m->stack_count -= count;
    for (size_t i = 0; i < count; i++)
        m->items[m->item_count++] = m->stack[m->stack_count + i];
    return push(m, (struct value){.kind = KIND_TUPLE, .as.tuple = {first, count}});
}

static rag_status make_tuple_from_mark(struct machine *m)
{
    size_t count;
    if (!count_above_mark(m, &count))
        return malformed(m, "no mark");
    /* Built where the mark is: it is popped from below the tuple. */
    rag_status status = make_tuple(m, count);
    if (status)
        return status;
    m->stack[m->stack_count - 2] = m->stack[m->stack_count - 1];
    m->stack_count--;
    return RAG_OK;
}

static const struct value *tuple_at(const struct machine *m, const struct value *tuple,
                                    size_t i)
{
    return &m->values[m->items[tuple->as.tuple.first + i]];
}

static rag_status put_memo(struct machine *m, uint64_t place)
{
    if (m->stack_count == 0 || place > m->memo_count)
        return malformed(m, "the memo is not filled in order");
    if (place == m->memo_count) {
        if (!array_reserve(&m->memo, &m->memo_capacity, m->memo_count + 1, sizeof *m->memo))
            return fail_memory(m->error);
        m->memo_count++;
    }
    m->memo[place] = m->stack[m->stack_count - 1];
    return RAG_OK;
}

static rag_status get_memo(struct machine *m, uint64_t place)
{
    if (place >= m->memo_count)
        return malformed(m, "nothing is at this place of the memo");
    return push_number(m, m->memo[place]);
}

static rag_status push_string(struct machine *m, size_t bytes_of_size)
{
    uint64_t size;
    const unsigned char *text;
    if (!take_number(m, bytes_of_size, &size) || !take(m, size, &text))
        return malformed(m, "cut short");
    return push(m, (struct value){.kind = KIND_STRING,
                                  .as.string = {(const char *)text, (size_t)size}});
}

static bool string_is(struct string string, const char *text)
{
    return string.size == strlen(text) && memcmp(string.data, text, string.size) == 0;
}

static int printed(size_t size)
{
    return size < 64 ? (int)size : 64;
}

static rag_status push_global(struct machine *m, struct string module, struct string name)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (string_is(module, globals[i].module) && string_is(name, globals[i].name))
            return push(m, (struct value){.kind = KIND_GLOBAL, .as.global = &globals[i]});
    return fail_with(m->error, RAG_MODEL,
                     "the pickle asks for %.*s.%.*s at byte %zu, which no state dict needs: "
                     "refused, for it may be an attempt to run code",
                     printed(module.size), module.data, printed(name.size), name.data,
                     m->opcode_at);
}

static CHECKED bool take_line(struct machine *m, struct string *line)
{
    const unsigned char *begin = m->data + m->at;
    const unsigned char *end = memchr(begin, '\n', m->size - m->at);
    if (!end)
        return false;
    *line = (struct string){(const char *)begin, (size_t)(end - begin)};
    m->at += line->size + 1;
    return true;
}

static rag_status read_global(struct machine *m)
{
    struct string module, name;
    if (!take_line(m, &module) || !take_line(m, &name))
        return malformed(m, "cut short");
    return push_global(m, module, name);
}

static rag_status read_stack_global(struct machine *m)
{
    uint32_t name, module;
    if (!pop(m, &name) || !pop(m, &module) || m->values[name].kind != KIND_STRING ||
        m->values[module].kind != KIND_STRING)
        return malformed(m, "a name is no string");
    return push_global(m, m->values[module].as.string, m->values[name].as.string);
}

/* LONG1: two's complement in n bytes, n <= 8 here. */
static rag_status read_long(struct machine *m)
{
    uint64_t size, bits;
    if (!take_number(m, 1, &size) || size > 8 || !take_number(m, size, &bits))
        return malformed(m, "cut short, or a number of more than 8 bytes");
    if (size && size < 8 && bits >> (8 * size - 1))
        bits |= UINT64_MAX << 8 * size;
    int64_t integer;
    memcpy(&integer, &bits, sizeof integer);
    return push_integer(m, integer);
}

/* ('storage', CLASS, key, device, elements), and in older files a sixth, None. */
static rag_status read_storage(struct machine *m)
{
    uint32_t number;
    if (!pop(m, &number) || m->values[number].kind != KIND_TUPLE ||
        m->values[number].as.tuple.count < 5)
        return malformed(m, "a reference to something else than a storage");
    const struct value *tuple = &m->values[number];
    const struct value *tag = tuple_at(m, tuple, 0), *class = tuple_at(m, tuple, 1);
    const struct value *key = tuple_at(m, tuple, 2), *elements = tuple_at(m, tuple, 4);
    if (tag->kind != KIND_STRING || !string_is(tag->as.string, "storage") ||
        class->kind != KIND_GLOBAL || class->as.global->global != STORAGE_CLASS ||
        key->kind != KIND_STRING || elements->kind != KIND_INTEGER || elements->as.integer < 0)
        return malformed(m, "a reference to something else than a storage");
    return push(m, (struct value){.kind = KIND_STORAGE,
                                  .as.storage = {.type = class->as.global->type,
                                                 .key = key->as.string,
                                                 .elements = (uint64_t)elements->as.integer}});
}

/* _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks). */
static rag_status rebuild_tensor(struct machine *m, const struct value *arguments)
{
    if (arguments->as.tuple.count < 4)
        return malformed(m, "a tensor of fewer than 4 arguments");
    const struct value *offset = tuple_at(m, arguments, 1);
    size_t first = arguments->as.tuple.first;
    if (tuple_at(m, arguments, 0)->kind != KIND_STORAGE || offset->kind != KIND_INTEGER ||
        offset->as.integer < 0 || tuple_at(m, arguments, 2)->kind != KIND_TUPLE ||
        tuple_at(m, arguments, 3)->kind != KIND_TUPLE)
        return malformed(m, "a tensor's arguments are of other types");
    return push(m, (struct value){.kind = KIND_TENSOR,
                                  .as.tensor = {.storage = m->items[first],
                                                .shape = m->items[first + 2],
                                                .stride = m->items[first + 3],
                                                .offset = (uint64_t)offset->as.integer}});
}

static rag_status call(struct machine *m)
{
    uint32_t arguments_number, function_number;
    if (!pop(m, &arguments_number) || !pop(m, &function_number))
        return malformed(m, "the stack is too short");
    const struct value *arguments = &m->values[arguments_number];
    const struct value *function = &m->values[function_number];
    if (arguments->kind != KIND_TUPLE || function->kind != KIND_GLOBAL)
        return malformed(m, "a call of something else than a function");
    switch (function->as.global->global) {
    case REBUILD_TENSOR:
        return rebuild_tensor(m, arguments);
    case REBUILD_PARAMETER:
        if (arguments->as.tuple.count < 1)
            return malformed(m, "a parameter without a tensor");
        return push_number(m, m->items[arguments->as.tuple.first]);
    case ORDERED_DICT:
        if (arguments->as.tuple.count != 0)
            return malformed(m, "an OrderedDict with arguments");
        return push_kind(m, KIND_DICT);
    case STORAGE_CLASS:
        break;
    }
    return malformed(m, "a storage is made by a call");
}

static rag_status set_item(struct machine *m, uint32_t dict, uint32_t key, uint32_t value)
{
    if (m->pair_count == PICKLE_MAX_VALUES)
        return malformed(m, "too many values");
    if (!array_reserve(&m->pairs, &m->pair_capacity, m->pair_count + 1, sizeof *m->pairs))
        return fail_memory(m->error);
    m->pairs[m->pair_count++] = (struct pair){.key = key, .value = value};
    struct value *target = &m->values[dict];
    if (target->as.dict.last)
        m->pairs[target->as.dict.last - 1].next = m->pair_count;
    else
        target->as.dict.first = m->pair_count;
    target->as.dict.last = m->pair_count;
    return RAG_OK;
}

/* Sets the top `count` values, keys and values in turn, in the dict below them (and below
 * `marks` marks), which stays on the stack. */
static rag_status set_items(struct machine *m, size_t count, size_t marks)
{
    if (count % 2 || m->stack_count < count + marks + 1)
        return malformed(m, "the stack is too short");
    size_t first = m->stack_count - count;
    uint32_t dict = m->stack[first - marks - 1];
    if (m->values[dict].kind != KIND_DICT)
        return malformed(m, "an item is set in something else than a dict");
    for (size_t i = 0; i < count; i += 2) {
        rag_status status = set_item(m, dict, m->stack[first + i], m->stack[first + i + 1]);
        if (status)
            return status;
    }
    m->stack_count = first - marks;
    return RAG_OK;
}

/* SETITEMS, and APPENDS, whose list nobody reads. */
static rag_status add_from_mark(struct machine *m, bool items)
{
    size_t count;
    if (!count_above_mark(m, &count))
        return malformed(m, "no mark");
    if (items)
        return set_items(m, count, 1);
    m->stack_count -= count + 1;
    return m->stack_count ? RAG_OK : malformed(m, "no list");
}

static rag_status drop(struct machine *m)
{
    uint32_t number;
    return pop(m, &number) ? RAG_OK : malformed(m, "the stack is too short");
}

static rag_status read_place(struct machine *m, size_t size, bool put)
{
    uint64_t place;
    if (!take_number(m, size, &place))
        return malformed(m, "cut short");
    return put ? put_memo(m, place) : get_memo(m, place);
}

static rag_status read_integer(struct machine *m, size_t size)
{
    uint64_t bits;
    if (!take_number(m, size, &bits))
        return malformed(m, "cut short");
    return push_integer(m, size == 4 ? (int32_t)(uint32_t)bits : (int64_t)bits);
}

static rag_status skip(struct machine *m, size_t size, bool value)
{
    const unsigned char *bytes;
    if (!take(m, size, &bytes))
        return malformed(m, "cut short");
    return value ? push_kind(m, KIND_OTHER) : RAG_OK;
}

static rag_status read_protocol(struct machine *m)
{
    uint64_t protocol;
    if (!take_number(m, 1, &protocol) || protocol > LAST_PROTOCOL)
        return malformed(m, "an unknown protocol");
    return RAG_OK;
}

static rag_status step(struct machine *m, unsigned char opcode)
{
    switch (opcode) {
    case PROTO:
        return read_protocol(m);
    case FRAME:
        return skip(m, 8, false);
    case MARK:
        return push_kind(m, KIND_MARK);
    case POP:
    case APPEND:
    case BUILD:
        return drop(m);
    case NONE:
    case NEWTRUE:
    case NEWFALSE:
    case EMPTY_LIST:
        return push_kind(m, KIND_OTHER);
    case BINFLOAT:
        return skip(m, 8, true);
    case BININT:
        return read_integer(m, 4);
    case BININT1:
        return read_integer(m, 1);
    case BININT2:
        return read_integer(m, 2);
    case LONG1:
        return read_long(m);
    case BINUNICODE:
        return push_string(m, 4);
    case SHORT_BINUNICODE:
        return push_string(m, 1);
    case EMPTY_TUPLE:
        return make_tuple(m, 0);
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
        return make_tuple(m, (size_t)opcode - TUPLE1 + 1);
    case TUPLE:
        return make_tuple_from_mark(m);
    case EMPTY_DICT:
        return push_kind(m, KIND_DICT);
    case SETITEM:
        return set_items(m, 2, 0);
    case SETITEMS:
        return add_from_mark(m, true);
    case APPENDS:
        return add_from_mark(m, false);
    case GLOBAL:
        return read_global(m);
    case STACK_GLOBAL:
        return read_stack_global(m);
    case REDUCE:
        return call(m);
    case BINPERSID:
        return read_storage(m);
    case BINGET:
        return read_place(m, 1, false);
    case LONG_BINGET:
        return read_place(m, 4, false);
    case BINPUT:
        return read_place(m, 1, true);
    case LONG_BINPUT:
        return read_place(m, 4, true);
    case MEMOIZE:
        return put_memo(m, m->memo_count);
    default:
        return fail_with(m->error, RAG_MODEL,
                         "the pickle has opcode 0x%02x at byte %zu, which no state dict needs: "
                         "refused, for it may be an attempt to run code",
                         opcode, m->opcode_at);
    }
}

static rag_status read_sizes(struct machine *m, const struct value *tuple, unsigned dimensions,
                             uint64_t *sizes)
{
    for (unsigned i = 0; i < dimensions; i++) {
        const struct value *size = tuple_at(m, tuple, i);
        if (size->kind != KIND_INTEGER || size->as.integer < 0)
            return malformed(m, "a tensor's shape or stride is no size");
        sizes[i] = (uint64_t)size->as.integer;
    }
    return RAG_OK;
}

static rag_status hand_over(struct machine *m, struct string name, const struct value *tensor,
                            pickle_tensor_fn on_tensor, void *user)
{
    const struct value *storage = &m->values[tensor->as.tensor.storage];
    const struct value *shape = &m->values[tensor->as.tensor.shape];
    const struct value *stride = &m->values[tensor->as.tensor.stride];
    if (shape->as.tuple.count > PICKLE_MAX_DIMENSIONS ||
        shape->as.tuple.count != stride->as.tuple.count)
        return malformed(m, "a tensor's shape and stride do not fit each other");
    struct pickled_tensor found = {
        .name = name.data,
        .name_size = name.size,
        .type = storage->as.storage.type,
        .storage = storage->as.storage.key.data,
        .storage_size = storage->as.storage.key.size,
        .storage_elements = storage->as.storage.elements,
        .offset = tensor->as.tensor.offset,
        .dimensions = (unsigned)shape->as.tuple.count,
    };
    rag_status status = read_sizes(m, shape, found.dimensions, found.shape);
    if (!status)
        status = read_sizes(m, stride, found.dimensions, found.stride);
    return status ? status : on_tensor(&found, user, m->error);
}

/* What is left on the stack at STOP: a dict of names and tensors. */
static rag_status read_result(struct machine *m, pickle_tensor_fn on_tensor, void *user)
{
    uint32_t root;
    if (!pop(m, &root) || m->values[root].kind != KIND_DICT)
        return malformed(m, "it holds something else than a dict of tensors");
    for (size_t at = m->values[root].as.dict.first; at; at = m->pairs[at - 1].next) {
        const struct pair *pair = &m->pairs[at - 1];
        const struct value *key = &m->values[pair->key], *value = &m->values[pair->value];
        if (key->kind != KIND_STRING || value->kind != KIND_TENSOR)
            return malformed(m, "it is not a state dict: each item must be a named tensor");
        rag_status status = hand_over(m, key->as.string, value, on_tensor, user);
        if (status)
            return status;
    }
    return RAG_OK;
}

rag_status pickle_read(const unsigned char *data, size_t size, pickle_tensor_fn on_tensor,
                       void *user, rag_error *error)
{
    struct machine m = {.data = data, .size = size, .error = error};
    rag_status status = RAG_OK;
    while (!status) {
        const unsigned char *opcode;
        m.opcode_at = m.at;
        if (!take(&m, 1, &opcode))
            status = malformed(&m, "cut short");
        else if (*opcode == STOP)
            break;
        else
            status = step(&m, *opcode);
    }
    if (!status)
        status = read_result(&m, on_tensor, user);
    free(m.values);
    free(m.stack);
    free(m.memo);
    free(m.items);
    free(m.pairs);
    return status;
}
