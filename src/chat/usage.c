#include "chat/usage.h"
#include "text/utf8.h"

#include <stdbool.h>

static bool is_dense(int32_t c)
{
    return (c >= 0x3040 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x9fff) ||
           (c >= 0xac00 && c <= 0xd7a3) || (c >= 0x20000 && c <= 0x3ffff);
}

size_t usage_estimate(rag_text text)
{
    size_t characters = 0, bytes = 0;
    for (size_t at = 0; at < text.size;) {
        size_t length;
        if (is_dense(utf8_decode(text.data + at, text.size - at, &length)))
            characters++;
        else
            bytes += length;
        at += length;
    }
    return characters + (bytes + 3) / 4;
}

void usage_add(rag_usage *total, const rag_usage *one)
{
    total->requests += one->requests;
    total->input_tokens += one->input_tokens;
    total->output_tokens += one->output_tokens;
    total->estimated |= one->estimated;
    total->cost += one->cost;
    total->first_token_seconds = one->first_token_seconds;
    total->seconds += one->seconds;
}
