#define _XOPEN_SOURCE 700
#include "pipeline/fixture.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[64];
static int64_t last_time; /* seconds, of the file that was written last */

int sandbox_make(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/rag-test-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

int sandbox_remove(void **state)
{
    (void)state;
    rag_error error;
    return directory_remove(folder, &error) ? -1 : 0;
}

const char *in_sandbox(const char *name)
{
    static char paths[16][4096];
    static unsigned next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s%s%s", folder, *name ? "/" : "", name);
    return path;
}

void write_bytes(const char *name, const void *data, size_t size)
{
    rag_error error;
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", in_sandbox(name));
    *strrchr(parent, '/') = '\0';
    assert_ok(directory_make(parent, &error), &error);
    assert_ok(file_write(in_sandbox(name), data, size, &error), &error);
    /* Clocks of file systems are coarse: no two files have the same time. */
    time_t now = time(NULL);
    last_time = last_time < now ? now : last_time + 1;
    struct timespec times[2] = {{.tv_sec = last_time}, {.tv_sec = last_time}};
    assert_int_equal(utimensat(AT_FDCWD, in_sandbox(name), times, 0), 0);
}

void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

char *read_file(const char *path, size_t *size)
{
    rag_error error;
    struct buf bytes = BUF_INIT(16 << 20);
    assert_ok(file_read(path, &bytes, &error), &error);
    *size = bytes.size;
    char *data = buf_detach(&bytes);
    assert_non_null(data);
    return data;
}

rag_text text_of(const char *text)
{
    return (rag_text){text, strlen(text)};
}

const char *small_model(const char *name)
{
    static char paths[8][4096];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/encoder/%s", TEST_DATA, name);
    return path;
}

const char *make_model(const char *name, const char *small, unsigned max_tokens,
                       const char *prompts)
{
    static const char length_file[] = "sentence_bert_config.json";
    const char *made = in_sandbox(name);
    rag_error error;
    assert_ok(directory_make(made, &error), &error);
    DIR *from = opendir(small_model(small));
    assert_non_null(from);
    for (const struct dirent *entry; (entry = readdir(from));) {
        char target[4096 + 300], link[4096 + 300];
        if (entry->d_name[0] == '.' || (max_tokens && strcmp(entry->d_name, length_file) == 0))
            continue;
        snprintf(target, sizeof target, "%s/%s", small_model(small), entry->d_name);
        snprintf(link, sizeof link, "%s/%s", made, entry->d_name);
        assert_int_equal(symlink(target, link), 0);
    }
    closedir(from);
    char file[4096], content[64];
    if (max_tokens) {
        snprintf(file, sizeof file, "%s/%s", name, length_file);
        snprintf(content, sizeof content, "{\"max_seq_length\": %u}", max_tokens);
        write_text(file, content);
    }
    if (prompts) {
        snprintf(file, sizeof file, "%s/config_sentence_transformers.json", name);
        write_text(file, prompts);
    }
    return made;
}

rag_model *open_model(const char *path)
{
    rag_error error;
    rag_model *model;
    rag_model_options options = RAG_MODEL_OPTIONS_INIT;
    options.threads = 2;
    options.precision = RAG_PRECISION_F32; /* what the references were computed in */
    assert_ok(rag_model_open(path, &options, &model, &error), &error);
    return model;
}

rag_index_options index_options(const char *model)
{
    rag_index_options options = RAG_INDEX_OPTIONS_INIT;
    options.model = model;
    options.models.models = in_sandbox("models");
    options.models.threads = 2;
    return options;
}

rag_index *open_index(const char *name, const rag_index_options *options)
{
    rag_error error;
    rag_index *index;
    rag_index_options own = index_options(small_model("bge-m3-like"));
    assert_ok(rag_index_open(in_sandbox(name), options ? options : &own, &index, &error),
              &error);
    return index;
}

rag_add_report add_path(rag_index *index, const char *name)
{
    rag_error error;
    rag_add_report report;
    const char *path = in_sandbox(name);
    assert_ok(rag_index_add(index, &path, 1, NULL, &report, &error), &error);
    return report;
}

static void print_problem(const rag_problem *problem, void *user)
{
    (void)user;
    print_error("%s\n", problem->sentence);
}

void assert_sound(rag_index *index)
{
    rag_error error;
    rag_verify_options options = RAG_VERIFY_OPTIONS_INIT;
    options.on_problem = print_problem;
    assert_ok(rag_index_verify(index, &options, &error), &error);
}
