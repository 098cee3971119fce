#define _POSIX_C_SOURCE 200809L
#include "text/reference.h"

#include <stdio.h>
#include <stdlib.h>

size_t reference_lines(const char *path, void (*each)(const json_t *line, void *user),
                       void *user)
{
    char command[4096], *text = NULL;
    size_t capacity = 0, count = 0, length = strlen(path);
    bool packed = length > 3 && strcmp(path + length - 3, ".gz") == 0;
    snprintf(command, sizeof command, "gzip -dc '%s'", path);
    FILE *file = packed ? popen(command, "r") : fopen(path, "r");
    ssize_t size;
    if (!file)
        fail_msg("%s cannot be read", path);
    while ((size = getline(&text, &capacity, file)) > 0) {
        json_error_t error;
        json_t *line = json_loadb(text, (size_t)size, JSON_ALLOW_NUL, &error);
        if (!line)
            fail_msg("%s: %s", path, error.text);
        each(line, user);
        json_decref(line);
        count++;
    }
    free(text);
    if (packed ? pclose(file) : fclose(file))
        fail_msg("%s cannot be read", path);
    return count;
}

rag_text reference_text(const json_t *line, const char *name)
{
    const json_t *text = json_object_get(line, name);
    assert_true(json_is_string(text));
    return (rag_text){json_string_value(text), json_string_length(text)};
}

long reference_difference(const struct token_list *tokens, const json_t *ids)
{
    size_t count = json_array_size(ids);
    for (size_t i = 0; i < tokens->count && i < count; i++)
        if (tokens->ids[i] != json_integer_value(json_array_get(ids, i)))
            return (long)i;
    return tokens->count == count ? -1 : (long)(count < tokens->count ? count : tokens->count);
}
