/* Any patterns, compared with any path: the input up to its last line is a .gitignore
 * file, the last line the path. */
#include "documents/gitignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t last = size;
    while (last > 0 && text[last - 1] != '\n')
        last--;
    static const char folder[] = "/f";
    char *path = malloc(sizeof folder + 1 + size - last);
    if (!path)
        return 0;
    memcpy(path, "/f/", 3);
    memcpy(path + 3, text + last, size - last);
    path[3 + size - last] = 0;
    struct gitignore list = {0};
    bool file, directory;
    if (gitignore_add(&list, folder, text, last, NULL) != RAG_OK ||
        gitignore_excludes(&list, path, false, &file, NULL) != RAG_OK ||
        gitignore_excludes(&list, path, true, &directory, NULL) != RAG_OK)
        abort();
    /* Nothing excludes what no pattern stands for. */
    if (list.count == 0 && (file || directory))
        abort();
    gitignore_release(&list);
    free(path);
    return 0;
}
