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

struct model_facts model_table_find(const char *provider, const char *model)
{
    struct model_facts best = MODEL_FACTS_NONE;
    size_t longest = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t size = strlen(table[i].model);
        if (size <= longest || strcmp(table[i].provider, provider) != 0 ||
            strncmp(table[i].model, model, size) != 0 ||
            (model[size] != '\0' && model[size] != '-'))
            continue;
        longest = size;
        best = (struct model_facts){table[i].context_tokens, table[i].input_price,
                                    table[i].output_price};
    }
    return best;
}
