#include "documents/read_options.h"
#include "base/buf.h"
#include "documents/formats.h"
#include "documents/worker.h"

#include <stdlib.h>
#include <string.h>

/* ---- Languages --------------------------------------------------------------- */

enum { MAX_LIST = 1 << 16 /* bytes that tesseract may print of its languages */ };

/* Whether the list, a line a language, has this one. */
static bool lists(const char *list, const char *language, size_t size)
{
    for (const char *at = list; *at;) {
        size_t line = strcspn(at, "\n");
        if (line == size && memcmp(at, language, size) == 0)
            return true;
        at += line + (at[line] == '\n');
    }
    return false;
}

/* "tesseract-ocr-chi-sim" for "chi_sim". */
static rag_status fail_missing(const char *language, size_t size, rag_error *error)
{
    char package[READ_MAX_LANGUAGES + 1];
    memcpy(package, language, size);
    package[size] = 0;
    for (char *c = package; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return fail_with(error, RAG_INPUT,
                     "tesseract has no language \"%.*s\"; install it (Debian: apt install "
                     "tesseract-ocr-%s), or name one that tesseract --list-langs shows",
                     (int)size, language, package);
}

static rag_status check_installed(const char *languages, rag_error *error)
{
    struct buf list = BUF_INIT(MAX_LIST);
    rag_status status =
        worker_run("tesseract-languages", NULL, (rag_text){"", 0}, &list, error);
    for (const char *at = languages; !status && *at;) {
        size_t size = strcspn(at, "+");
        if (!list.size || !lists(list.data, at, size))
            status = fail_missing(at, size, error);
        at += size + (at[size] == '+');
    }
    buf_release(&list);
    return status;
}

/* Whether it is names, of letters, digits and "_", with "+" between them. */
static bool are_names(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_";
    for (const char *at = text;; at++) {
        size_t size = strspn(at, letters);
        at += size;
        if (!size || (*at && *at != '+'))
            return false;
        if (!*at)
            return at - text <= READ_MAX_LANGUAGES;
    }
}

/* What is asked for; "": nothing. */
static const char *languages_asked(const char *ocr)
{
    if (!ocr)
        ocr = getenv("RAG_OCR");
    return ocr && strcmp(ocr, "none") != 0 ? ocr : "";
}

rag_status read_options_make(const char *ocr, bool notebook_outputs, struct read_options *out,
                             rag_error *error)
{
    const char *languages = languages_asked(ocr);
    *out = (struct read_options){.notebook_outputs = notebook_outputs};
    if (!*languages)
        return RAG_OK;
    if (!are_names(languages))
        return fail_with(error, RAG_USAGE,
                         "%s takes the names of languages as tesseract has them, such as "
                         "eng+chi_sim, not \"%.40s\"",
                         ocr ? "--ocr" : "RAG_OCR", languages);
    strcpy(out->ocr, languages);
    return check_installed(languages, error);
}

/* ---- What they matter for ---------------------------------------------------- */

static bool is_one_of(const char *format, const char *const *formats)
{
    for (; *formats; formats++)
        if (strcmp(format, *formats) == 0)
            return true;
    return false;
}

/* Those that matter for a file of this name. Of a name that says nothing all do. */
static struct read_options those_for(const struct read_options *options, const char *name)
{
    static const char *const holders[] = {"zip", "tar", "gzip", "mail", "mbox", NULL};
    static const char *const scans[] = {"pdf", NULL}, *const notebooks[] = {"notebook", NULL};
    const char *format = format_of_name(name);
    struct read_options those = *options;
    if (!format || is_one_of(format, holders))
        return those;
    if (!is_one_of(format, scans))
        *those.ocr = 0;
    those.notebook_outputs &= is_one_of(format, notebooks);
    return those;
}

bool read_options_matter(const struct read_options *options, const char *name)
{
    struct read_options those = those_for(options, name);
    return *those.ocr || those.notebook_outputs;
}

rag_status read_options_mix(const struct read_options *options, const char *name,
                            struct hash *hash, rag_error *error)
{
    static const char prefix[] = "rag: read with options 1";
    struct read_options those = those_for(options, name);
    struct hasher *hasher;
    if (!read_options_matter(options, name))
        return RAG_OK;
    rag_status status = hasher_new(&hasher, error);
    if (status)
        return status;
    hasher_update(hasher, prefix, sizeof prefix);
    hasher_update(hasher, those.ocr, strlen(those.ocr) + 1);
    hasher_update(hasher, those.notebook_outputs ? "1" : "0", 1);
    hasher_update(hasher, hash->bytes, sizeof hash->bytes);
    hasher_finish(hasher, hash);
    return RAG_OK;
}

rag_status read_options_find(const char *name, const void *bytes, size_t size,
                             const struct hash *hash, struct read_options *out, bool *found,
                             rag_error *error)
{
    struct read_options tried[4] = {0};
    struct hash plain;
    const char *languages = languages_asked(NULL);
    bool named = are_names(languages);
    for (unsigned i = 0; i < sizeof tried / sizeof *tried; i++) {
        tried[i].notebook_outputs = i & 1;
        if (i & 2 && named)
            strcpy(tried[i].ocr, languages);
    }
    *found = false;
    rag_status status = hash_bytes(bytes, size, &plain, error);
    for (size_t i = 0; !status && !*found && i < sizeof tried / sizeof *tried; i++) {
        struct hash mixed = plain;
        *out = tried[i];
        status = read_options_mix(out, name, &mixed, error);
        *found = !status && memcmp(&mixed, hash, sizeof mixed) == 0;
    }
    return status;
}
