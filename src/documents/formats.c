#include "documents/formats.h"
#include "base/file.h"

#include <string.h>
#include <strings.h>

/* suffixes: separated by blanks, lower case, longer ones before shorter ones. */
static const struct {
    const char *format, *suffixes;
} formats[] = {
    {"markdown", ".md .markdown .mdown .mkd"},
    {"text", ".txt .text"},
    {"html", ".html .htm .xhtml"},
    {"pdf", ".pdf"},
    {"docx", ".docx .docm .dotx"},
    {"pptx", ".pptx .pptm .ppsx"},
    {"xlsx", ".xlsx .xlsm"},
    {"odt", ".odt .ott"},
    {"odp", ".odp .otp"},
    {"ods", ".ods .ots"},
    {"epub", ".epub"},
    {"rtf", ".rtf"},
    {"latex", ".tex .latex .ltx"},
    {"rst", ".rst .rest"},
    {"asciidoc", ".adoc .asciidoc .asc"},
    {"org", ".org"},
    {"notebook", ".ipynb"},
    {"csv", ".csv"},
    {"tsv", ".tsv .tab"},
    {"json", ".json"},
    {"jsonl", ".jsonl .ndjson"},
    {"mail", ".eml"},
    {"mbox", ".mbox"},
    {"srt", ".srt"},
    {"vtt", ".vtt"},
    {"zip", ".zip"},
    {"tar", ".tar.gz .tgz .tar.bz2 .tar.xz .tar.zst .tar"},
    {"gzip", ".gz"},
    {"c", ".c .h"},
    {"cpp", ".cc .cpp .cxx .c++ .hh .hpp .hxx"},
    {"csharp", ".cs"},
    {"dart", ".dart"},
    {"go", ".go"},
    {"haskell", ".hs"},
    {"java", ".java"},
    {"javascript", ".js .mjs .cjs .jsx"},
    {"julia", ".jl"},
    {"kotlin", ".kt .kts"},
    {"lua", ".lua"},
    {"perl", ".pl .pm"},
    {"php", ".php"},
    {"python", ".py .pyi"},
    {"r", ".r"},
    {"ruby", ".rb"},
    {"rust", ".rs"},
    {"scala", ".scala"},
    {"shell", ".sh .bash .zsh"},
    {"sql", ".sql"},
    {"swift", ".swift"},
    {"typescript", ".ts .tsx .mts"},
};

enum {
    FORMATS = sizeof formats / sizeof *formats,
    PDF_MARK_WITHIN = 1024, /* bytes; what may stand before it in practice */
};

static bool ends_with(const char *name, const char *suffix, size_t size)
{
    size_t length = strlen(name);
    return length >= size && strncasecmp(name + length - size, suffix, size) == 0;
}

const char *format_of_name(const char *path)
{
    const char *name = path_name(path);
    for (size_t i = 0; i < FORMATS; i++)
        for (const char *suffix = formats[i].suffixes; *suffix;) {
            size_t size = strcspn(suffix, " ");
            if (ends_with(name, suffix, size))
                return formats[i].format;
            suffix += size + (suffix[size] == ' ');
        }
    return NULL;
}

const char *format_named(const char *name)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (strcmp(formats[i].format, name) == 0)
            return formats[i].format;
    return NULL;
}

/* Some PDFs have a few bytes in front of the mark; a text may have it in its first lines. */
bool format_is_pdf(const char *path, const void *bytes, size_t size)
{
    static const char mark[] = "%PDF-";
    const char *format = format_of_name(path), *text = bytes;
    size_t within = format && strcmp(format, "pdf") == 0 ? PDF_MARK_WITHIN : 1;
    for (size_t i = 0; i < within && size - i >= sizeof mark - 1 && i < size; i++)
        if (memcmp(text + i, mark, sizeof mark - 1) == 0)
            return true;
    return false;
}
