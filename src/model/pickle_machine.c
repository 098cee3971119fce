#include "model/pickle_machine.h"

#include "base/memory.h"

#include <string.h>

void machine_release(struct machine *m)
{
    free(m->values);
    free(m->stack);
    free(m->memo);
    free(m->items);
    free(m->pairs);
}

rag_status machine_fail(struct machine *m, const char *what)
{
    return fail_with(m->error, RAG_MODEL, "the pickle is malformed at byte %zu: %s",
                     m->opcode_at, what);
}

bool machine_take(struct machine *m, size_t size, const unsigned char **bytes)
{
    if (size > m->size - m->at)
        return false;
    *bytes = m->data + m->at;
    m->at += size;
    return true;
}

bool machine_take_number(struct machine *m, size_t size, uint64_t *number)
{
    const unsigned char *bytes;
    if (!machine_take(m, size, &bytes))
        return false;
    *number = 0;
    for (size_t i = 0; i < size; i++)
        *number |= (uint64_t)bytes[i] << 8 * i;
    return true;
}

rag_status machine_push_number(struct machine *m, uint32_t number)
{
    if (!array_reserve(&m->stack, &m->stack_capacity, m->stack_count + 1, sizeof *m->stack))
        return fail_memory(m->error);
    m->stack[m->stack_count++] = number;
    return RAG_OK;
}

rag_status machine_push(struct machine *m, struct value value)
{
    if (m->value_count == PICKLE_MAX_VALUES)
        return machine_fail(m, "too many values");
    if (!array_reserve(&m->values, &m->value_capacity, m->value_count + 1, sizeof *m->values))
        return fail_memory(m->error);
    m->values[m->value_count] = value;
    return machine_push_number(m, (uint32_t)m->value_count++);
}

rag_status machine_push_kind(struct machine *m, enum kind kind)
{
    return machine_push(m, (struct value){.kind = kind});
}

rag_status machine_push_integer(struct machine *m, int64_t integer)
{
    return machine_push(m, (struct value){.kind = KIND_INTEGER, .as.integer = integer});
}

bool machine_pop(struct machine *m, uint32_t *number)
{
    if (m->stack_count == 0)
        return false;
    *number = m->stack[--m->stack_count];
    return m->values[*number].kind != KIND_MARK;
}

bool machine_count_above_mark(const struct machine *m, size_t *count)
{
    for (size_t i = m->stack_count; i-- > 0;)
        if (m->values[m->stack[i]].kind == KIND_MARK) {
            *count = m->stack_count - i - 1;
            return true;
        }
    return false;
}

rag_status machine_tuple(struct machine *m, size_t count)
{
    if (count > m->stack_count)
        return machine_fail(m, "the stack is too short");
    if (!array_reserve(&m->items, &m->item_capacity, m->item_count + count, sizeof *m->items))
        return fail_memory(m->error);
    size_t first = m->item_count;
    m->stack_count -= count;
    for (size_t i = 0; i < count; i++)
        m->items[m->item_count++] = m->stack[m->stack_count + i];
    return machine_push(m, (struct value){.kind = KIND_TUPLE, .as.tuple = {first, count}});
}

rag_status machine_tuple_from_mark(struct machine *m)
{
    size_t count;
    if (!machine_count_above_mark(m, &count))
        return machine_fail(m, "no mark");
    /* Built where the mark is: it is popped from below the tuple. */
    rag_status status = machine_tuple(m, count);
    if (status)
        return status;
    m->stack[m->stack_count - 2] = m->stack[m->stack_count - 1];
    m->stack_count--;
    return RAG_OK;
}

const struct value *machine_tuple_at(const struct machine *m, const struct value *tuple,
                                     size_t i)
{
    return &m->values[m->items[tuple->as.tuple.first + i]];
}

rag_status machine_put_memo(struct machine *m, uint64_t place)
{
    if (m->stack_count == 0 || place > m->memo_count)
        return machine_fail(m, "the memo is not filled in order");
    if (place == m->memo_count) {
        if (!array_reserve(&m->memo, &m->memo_capacity, m->memo_count + 1, sizeof *m->memo))
            return fail_memory(m->error);
        m->memo_count++;
    }
    m->memo[place] = m->stack[m->stack_count - 1];
    return RAG_OK;
}

rag_status machine_get_memo(struct machine *m, uint64_t place)
{
    if (place >= m->memo_count)
        return machine_fail(m, "nothing is at this place of the memo");
    return machine_push_number(m, m->memo[place]);
}

rag_status machine_push_string(struct machine *m, size_t bytes_of_size)
{
    uint64_t size;
    const unsigned char *text;
    if (!machine_take_number(m, bytes_of_size, &size) || !machine_take(m, size, &text))
        return machine_fail(m, "cut short");
    return machine_push(m, (struct value){.kind = KIND_STRING,
                                          .as.string = {(const char *)text, (size_t)size}});
}

static rag_status set_item(struct machine *m, uint32_t dict, uint32_t key, uint32_t value)
{
    if (m->pair_count == PICKLE_MAX_VALUES)
        return machine_fail(m, "too many values");
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

rag_status machine_set_items(struct machine *m, size_t count, size_t marks)
{
    if (count % 2 || m->stack_count < count + marks + 1)
        return machine_fail(m, "the stack is too short");
    size_t first = m->stack_count - count;
    uint32_t dict = m->stack[first - marks - 1];
    if (m->values[dict].kind != KIND_DICT)
        return machine_fail(m, "an item is set in something else than a dict");
    for (size_t i = 0; i < count; i += 2) {
        rag_status status = set_item(m, dict, m->stack[first + i], m->stack[first + i + 1]);
        if (status)
            return status;
    }
    m->stack_count = first - marks;
    return RAG_OK;
}
