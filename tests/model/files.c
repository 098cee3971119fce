#define _XOPEN_SOURCE 700
#include "model/files.h"

#include "support/test.h"

#include "base/file.h"

#include <stdlib.h>

char *folder_make(void)
{
    const char *temporary = getenv("TMPDIR");
    char path[1024];
    snprintf(path, sizeof path, "%s/rag-test-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(path));
    char *folder = strdup(path);
    assert_non_null(folder);
    return folder;
}

void folder_drop(char *folder)
{
    rag_error error;
    assert_ok(directory_remove(folder, &error), &error);
    free(folder);
}

const char *in(const char *folder, const char *name)
{
    static char paths[8][1024];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void put_bytes(const char *folder, const char *name, const void *data, size_t size)
{
    rag_error error;
    const char *path = in(folder, name);
    char *parent = strdup(path);
    assert_non_null(parent);
    *strrchr(parent, '/') = '\0';
    assert_ok(directory_make(parent, &error), &error);
    free(parent);
    assert_ok(file_write(path, data, size, &error), &error);
}

void put(const char *folder, const char *name, const char *text)
{
    put_bytes(folder, name, text, strlen(text));
}

void put_copy(const char *folder, const char *name, const char *from)
{
    rag_error error;
    struct buf content = BUF_INIT(1 << 24);
    assert_ok(file_read(from, &content, &error), &error);
    put_bytes(folder, name, content.data, content.size);
    buf_release(&content);
}

bool has(const char *folder, const char *name)
{
    return path_is_file(in(folder, name));
}

void put_model(const char *folder)
{
    put(folder, "config.json",
        "{\"model_type\": \"bert\", \"hidden_size\": 4, \"num_hidden_layers\": 1,"
        " \"num_attention_heads\": 2, \"intermediate_size\": 8, \"vocab_size\": 8,"
        " \"max_position_embeddings\": 16}");
    put(folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n");
    put_copy(folder, "model.safetensors", TEST_DATA "/model/f32/model.safetensors");
}
