#include "chat/model_table.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *provider, *model;
    size_t context_tokens;
    double input_price, output_price;
} table[] = {
#include "chat/model_table.inc"
};

/* What may follow the name of a family: "", "-latest", "-preview", "-001", "-2024-07-18",
 * "-preview-05-20". Other words, and short numbers ("-5-1"), make another model. */
static bool is_version(const char *rest)
{
    bool preview = strncmp(rest, "-preview", 8) == 0;
    if (preview)
        rest += 8;
    if (!*rest || strcmp(rest, "-latest") == 0)
        return true;
    return *rest == '-' && (preview || strspn(rest + 1, "0123456789") >= 3) &&
           rest[strspn(rest, "-0123456789")] == '\0';
}

struct model_facts model_table_find(const char *provider, const char *model)
{
    struct model_facts best = MODEL_FACTS_NONE;
    size_t longest = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t size = strlen(table[i].model);
        if (size <= longest || strcmp(table[i].provider, provider) != 0 ||
            strncmp(table[i].model, model, size) != 0 || !is_version(model + size))
            continue;
        longest = size;
        best = (struct model_facts){table[i].context_tokens, table[i].input_price,
                                    table[i].output_price};
    }
    return best;
}
