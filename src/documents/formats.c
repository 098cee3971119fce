#include "documents/formats.h"
#include "base/file.h"

#include <string.h>
#include <strings.h>

/* suffixes: separated by blanks, lower case, longer ones before shorter ones. is_text: as its
 * reader says (readers/reader.h). */
static const struct {
    const char *format, *suffixes;
    bool is_text;
} formats[] = {
    {"markdown", ".md .markdown .mdown .mkd", true},
    {"text", ".txt .text", true},
    {"html", ".html .htm .xhtml", false},
    {"pdf", ".pdf", false},
    {"docx", ".docx .docm .dotx", false},
    {"pptx", ".pptx .pptm .ppsx", false},
    {"xlsx", ".xlsx .xlsm", false},
    {"odt", ".odt .ott", false},
    {"odp", ".odp .otp", false},
    {"ods", ".ods .ots", false},
    {"epub", ".epub", false},
    {"rtf", ".rtf", false},
    {"latex", ".tex .latex .ltx", true},
    {"rst", ".rst .rest", true},
    {"asciidoc", ".adoc .asciidoc .asc", true},
    {"org", ".org", true},
    {"notebook", ".ipynb", false},
    {"csv", ".csv", true},
    {"tsv", ".tsv .tab", true},
    {"json", ".json", false},
    {"jsonl", ".jsonl .ndjson", false},
    {"mail", ".eml", false},
    {"mbox", ".mbox", false},
    {"srt", ".srt", false},
    {"vtt", ".vtt", false},
    {"zip", ".zip", false},
    {"tar", ".tar.gz .tgz .tar.bz2 .tar.xz .tar.zst .tar", false},
    {"gzip", ".gz", false},
    {"c", ".c .h", true},
    {"cpp", ".cc .cpp .cxx .c++ .hh .hpp .hxx", true},
    {"csharp", ".cs", true},
    {"dart", ".dart", true},
    {"go", ".go", true},
    {"haskell", ".hs", true},
    {"java", ".java", true},
    {"javascript", ".js .mjs .cjs .jsx", true},
    {"julia", ".jl", true},
    {"kotlin", ".kt .kts", true},
    {"lua", ".lua", true},
    {"perl", ".pl .pm", true},
    {"php", ".php", true},
    {"python", ".py .pyi", true},
    {"r", ".r", true},
    {"ruby", ".rb", true},
    {"rust", ".rs", true},
    {"scala", ".scala", true},
    {"shell", ".sh .bash .zsh", true},
    {"sql", ".sql", true},
    {"swift", ".swift", true},
    {"typescript", ".ts .tsx .mts", true},
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

bool format_is_text(const char *format)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (strcmp(formats[i].format, format) == 0)
            return formats[i].is_text;
    return false;
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
