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
 * Every other opcode, and every other name, is refused. */
#include "model/pickle_machine.h"

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
            return machine_push(m,
                                (struct value){.kind = KIND_GLOBAL, .as.global = &globals[i]});
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
        return machine_fail(m, "cut short");
    return push_global(m, module, name);
}

static rag_status read_stack_global(struct machine *m)
{
    uint32_t name, module;
    if (!machine_pop(m, &name) || !machine_pop(m, &module) ||
        m->values[name].kind != KIND_STRING || m->values[module].kind != KIND_STRING)
        return machine_fail(m, "a name is no string");
    return push_global(m, m->values[module].as.string, m->values[name].as.string);
}

/* LONG1: two's complement in n bytes, n <= 8 here. */
static rag_status read_long(struct machine *m)
{
    uint64_t size, bits;
    if (!machine_take_number(m, 1, &size) || size > 8 || !machine_take_number(m, size, &bits))
        return machine_fail(m, "cut short, or a number of more than 8 bytes");
    if (size && size < 8 && bits >> (8 * size - 1))
        bits |= UINT64_MAX << 8 * size;
    int64_t integer;
    memcpy(&integer, &bits, sizeof integer);
    return machine_push_integer(m, integer);
}

/* ('storage', CLASS, key, device, elements), and in older files a sixth, None. */
static rag_status read_storage(struct machine *m)
{
    uint32_t number;
    if (!machine_pop(m, &number) || m->values[number].kind != KIND_TUPLE ||
        m->values[number].as.tuple.count < 5)
        return machine_fail(m, "a reference to something else than a storage");
    const struct value *tuple = &m->values[number];
    const struct value *tag = machine_tuple_at(m, tuple, 0),
                       *class = machine_tuple_at(m, tuple, 1);
    const struct value *key = machine_tuple_at(m, tuple, 2),
                       *elements = machine_tuple_at(m, tuple, 4);
    if (tag->kind != KIND_STRING || !string_is(tag->as.string, "storage") ||
        class->kind != KIND_GLOBAL || class->as.global->global != STORAGE_CLASS ||
        key->kind != KIND_STRING || elements->kind != KIND_INTEGER || elements->as.integer < 0)
        return machine_fail(m, "a reference to something else than a storage");
    return machine_push(
        m, (struct value){.kind = KIND_STORAGE,
                          .as.storage = {.type = class->as.global->type,
                                         .key = key->as.string,
                                         .elements = (uint64_t)elements->as.integer}});
}

/* _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks). */
static rag_status rebuild_tensor(struct machine *m, const struct value *arguments)
{
    if (arguments->as.tuple.count < 4)
        return machine_fail(m, "a tensor of fewer than 4 arguments");
    const struct value *offset = machine_tuple_at(m, arguments, 1);
    size_t first = arguments->as.tuple.first;
    if (machine_tuple_at(m, arguments, 0)->kind != KIND_STORAGE ||
        offset->kind != KIND_INTEGER || offset->as.integer < 0 ||
        machine_tuple_at(m, arguments, 2)->kind != KIND_TUPLE ||
        machine_tuple_at(m, arguments, 3)->kind != KIND_TUPLE)
        return machine_fail(m, "a tensor's arguments are of other types");
    return machine_push(m,
                        (struct value){.kind = KIND_TENSOR,
                                       .as.tensor = {.storage = m->items[first],
                                                     .shape = m->items[first + 2],
                                                     .stride = m->items[first + 3],
                                                     .offset = (uint64_t)offset->as.integer}});
}

static rag_status call(struct machine *m)
{
    uint32_t arguments_number, function_number;
    if (!machine_pop(m, &arguments_number) || !machine_pop(m, &function_number))
        return machine_fail(m, "the stack is too short");
    const struct value *arguments = &m->values[arguments_number];
    const struct value *function = &m->values[function_number];
    if (arguments->kind != KIND_TUPLE || function->kind != KIND_GLOBAL)
        return machine_fail(m, "a call of something else than a function");
    switch (function->as.global->global) {
    case REBUILD_TENSOR:
        return rebuild_tensor(m, arguments);
    case REBUILD_PARAMETER:
        if (arguments->as.tuple.count < 1)
            return machine_fail(m, "a parameter without a tensor");
        return machine_push_number(m, m->items[arguments->as.tuple.first]);
    case ORDERED_DICT:
        if (arguments->as.tuple.count != 0)
            return machine_fail(m, "an OrderedDict with arguments");
        return machine_push_kind(m, KIND_DICT);
    case STORAGE_CLASS:
        break;
    }
    return machine_fail(m, "a storage is made by a call");
}

/* SETITEMS, and APPENDS, whose list nobody reads. */
static rag_status add_from_mark(struct machine *m, bool items)
{
    size_t count;
    if (!machine_count_above_mark(m, &count))
        return machine_fail(m, "no mark");
    if (items)
        return machine_set_items(m, count, 1);
    m->stack_count -= count + 1;
    return m->stack_count ? RAG_OK : machine_fail(m, "no list");
}

static rag_status drop(struct machine *m)
{
    uint32_t number;
    return machine_pop(m, &number) ? RAG_OK : machine_fail(m, "the stack is too short");
}

static rag_status read_place(struct machine *m, size_t size, bool put)
{
    uint64_t place;
    if (!machine_take_number(m, size, &place))
        return machine_fail(m, "cut short");
    return put ? machine_put_memo(m, place) : machine_get_memo(m, place);
}

static rag_status read_integer(struct machine *m, size_t size)
{
    uint64_t bits;
    if (!machine_take_number(m, size, &bits))
        return machine_fail(m, "cut short");
    return machine_push_integer(m, size == 4 ? (int32_t)(uint32_t)bits : (int64_t)bits);
}

static rag_status skip(struct machine *m, size_t size, bool value)
{
    const unsigned char *bytes;
    if (!machine_take(m, size, &bytes))
        return machine_fail(m, "cut short");
    return value ? machine_push_kind(m, KIND_OTHER) : RAG_OK;
}

static rag_status read_protocol(struct machine *m)
{
    uint64_t protocol;
    if (!machine_take_number(m, 1, &protocol) || protocol > LAST_PROTOCOL)
        return machine_fail(m, "an unknown protocol");
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
        return machine_push_kind(m, KIND_MARK);
    case POP:
    case APPEND:
    case BUILD:
        return drop(m);
    case NONE:
    case NEWTRUE:
    case NEWFALSE:
    case EMPTY_LIST:
        return machine_push_kind(m, KIND_OTHER);
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
        return machine_push_string(m, 4);
    case SHORT_BINUNICODE:
        return machine_push_string(m, 1);
    case EMPTY_TUPLE:
        return machine_tuple(m, 0);
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
        return machine_tuple(m, (size_t)opcode - TUPLE1 + 1);
    case TUPLE:
        return machine_tuple_from_mark(m);
    case EMPTY_DICT:
        return machine_push_kind(m, KIND_DICT);
    case SETITEM:
        return machine_set_items(m, 2, 0);
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
        return machine_put_memo(m, m->memo_count);
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
        const struct value *size = machine_tuple_at(m, tuple, i);
        if (size->kind != KIND_INTEGER || size->as.integer < 0)
            return machine_fail(m, "a tensor's shape or stride is no size");
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
        return machine_fail(m, "a tensor's shape and stride do not fit each other");
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
    if (!machine_pop(m, &root) || m->values[root].kind != KIND_DICT)
        return machine_fail(m, "it holds something else than a dict of tensors");
    for (size_t at = m->values[root].as.dict.first; at; at = m->pairs[at - 1].next) {
        const struct pair *pair = &m->pairs[at - 1];
        const struct value *key = &m->values[pair->key], *value = &m->values[pair->value];
        if (key->kind != KIND_STRING || value->kind != KIND_TENSOR)
            return machine_fail(m, "it is not a state dict: each item must be a named tensor");
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
        if (!machine_take(&m, 1, &opcode))
            status = machine_fail(&m, "cut short");
        else if (*opcode == STOP)
            break;
        else
            status = step(&m, *opcode);
    }
    if (!status)
        status = read_result(&m, on_tensor, user);
    machine_release(&m);
    return status;
}
