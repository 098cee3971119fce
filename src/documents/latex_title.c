/* A LaTeX title's words: commands go and what they stand around stays, letters that are spelled
 * as commands become letters, and formulas stay as they are. */
#include "documents/lines.h"
#include "documents/titles.h"
#include "text/utf8.h"

#include <utf8proc.h>

struct title {
    const char *name;
    size_t size, at;
    struct buf *out;
};

/* Appends what the command stands for; *known: there is such a text. */
static bool append_spelled(struct title *t, const char *command, size_t size, bool *known)
{
    static const struct {
        const char *command, *text;
    } texts[] = {
        {"LaTeX", "LaTeX"},
        {"LaTeXe", "LaTeX2e"},
        {"TeX", "TeX"},
        {"BibTeX", "BibTeX"},
        {"XeTeX", "XeTeX"},
        {"LuaTeX", "LuaTeX"},
        {"pdfTeX", "pdfTeX"},
        {"XeLaTeX", "XeLaTeX"},
        {"LuaLaTeX", "LuaLaTeX"},
        {"ss", "ß"},
        {"ae", "æ"},
        {"AE", "Æ"},
        {"oe", "œ"},
        {"OE", "Œ"},
        {"o", "ø"},
        {"O", "Ø"},
        {"l", "ł"},
        {"L", "Ł"},
        {"aa", "å"},
        {"AA", "Å"},
        {"i", "ı"},
        {"S", "§"},
        {"dots", "…"},
        {"ldots", "…"},
        {"textendash", "–"},
        {"textemdash", "—"},
        {"textbackslash", "\\"},
        {"textunderscore", "_"},
        {"textasciitilde", "~"},
        {"textasciicircum", "^"},
        {"textless", "<"},
        {"textgreater", ">"},
        {"textbar", "|"},
        {"textquotesingle", "'"},
        {"sphinxhyphen", "-"},
        {"quad", " "},
        {"linebreak", " "},
        {"newline", " "},
        {"and", ", "},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strlen(texts[i].command) == size && memcmp(texts[i].command, command, size) == 0) {
            *known = true;
            return buf_append_text(t->out, texts[i].text);
        }
    *known = false;
    return true;
}

/* Commands whose first argument is nothing to read: a name, a measure, a note, an address. */
static bool has_silent_argument(const char *command, size_t size)
{
    static const char *const commands[] = {
        "label",          "index",    "footnote",        "footnotemark", "thanks",
        "cite",           "citep",    "citet",           "vspace",       "hspace",
        "hypertarget",    "href",     "hyperlink",       "color",        "textcolor",
        "texorpdfstring", "fontsize", "includegraphics", "inst",
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i]) == size && memcmp(commands[i], command, size) == 0)
            return true;
    return false;
}

/* The combining character of an accent: \"o, \c{c}; 0: the command is none. */
static int32_t accent(char command)
{
    static const struct {
        char command;
        int32_t mark;
    } known[] = {{'`', 0x300}, {'\'', 0x301}, {'^', 0x302}, {'~', 0x303}, {'=', 0x304},
                 {'u', 0x306}, {'.', 0x307},  {'"', 0x308}, {'r', 0x30A}, {'H', 0x30B},
                 {'v', 0x30C}, {'d', 0x323},  {'c', 0x327}, {'k', 0x328}, {'b', 0x331}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].command == command)
            return known[i].mark;
    return 0;
}

static size_t command_length(const char *name, size_t at, size_t size)
{
    size_t n = 0;
    while (at + n < size && ((name[at + n] >= 'a' && name[at + n] <= 'z') ||
                             (name[at + n] >= 'A' && name[at + n] <= 'Z')))
        n++;
    return n;
}

/* Goes behind what stands in these brackets, if they open here. */
static void skip_brackets(struct title *t, char open, char close)
{
    if (t->at >= t->size || t->name[t->at] != open)
        return;
    size_t depth = 0;
    while (t->at < t->size) {
        char c = t->name[t->at++];
        if (c == '\\' && t->at < t->size)
            t->at++;
        depth += c == open;
        if (c == close && --depth == 0)
            return;
    }
}

/* Appends a formula that begins at `begin` and ends with `end`, as it is. */
static bool append_formula(struct title *t, size_t begin, const char *end)
{
    size_t n = strlen(end);
    while (t->size - t->at >= n && memcmp(t->name + t->at, end, n) != 0)
        t->at++;
    t->at = t->size - t->at >= n ? t->at + n : t->size;
    return buf_append(t->out, t->name + begin, t->at - begin);
}

/* The letter at `at`, in braces or not, with this mark; alone for an accent without a letter.
 */
static bool append_accented(struct title *t, char command)
{
    t->at = skip_blanks(t->name, t->at, t->size);
    t->at += t->at < t->size && t->name[t->at] == '{';
    if (t->at == t->size || t->name[t->at] == '}')
        return (command != '^' && command != '~') || buf_append_char(t->out, command);
    t->at += t->name[t->at] == '\\' && t->at + 1 < t->size; /* \'\i */
    size_t length;
    char bytes[4];
    utf8proc_int32_t both[2] = {utf8_decode(t->name + t->at, t->size - t->at, &length),
                                accent(command)};
    if (both[0] < 0)
        return true;
    t->at += length;
    utf8proc_ssize_t count =
        utf8proc_normalize_utf32(both, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < count; i++)
        if (!buf_append(t->out, bytes, utf8_encode(both[i], bytes)))
            return false;
    return true;
}

/* A command of one character that is no letter. */
static bool append_symbol(struct title *t)
{
    if (t->at == t->size)
        return true;
    char c = t->name[t->at++];
    if (c == '(')
        return append_formula(t, t->at - 2, "\\)");
    if (accent(c))
        return append_accented(t, c);
    if (strchr("\\,;: \t\n", c))
        return buf_append_char(t->out, ' ');
    return strchr("!/@-+", c) || buf_append_char(t->out, c);
}

static bool append_command(struct title *t)
{
    const char *command = t->name + t->at;
    bool spelled;
    size_t n = command_length(t->name, t->at, t->size);
    if (n == 0)
        return append_symbol(t);
    t->at += n;
    if (n == 1 && accent(*command))
        return append_accented(t, *command);
    t->at = skip_blanks(t->name, t->at, t->size);
    if (!append_spelled(t, command, n, &spelled))
        return false;
    if (!spelled && has_silent_argument(command, n)) {
        skip_brackets(t, '[', ']');
        skip_brackets(t, '{', '}');
    }
    return true;
}

bool latex_title(const char *name, size_t size, struct buf *out)
{
    struct title t = {name, size, 0, out};
    bool ok = true;
    while (ok && t.at < size) {
        char c = name[t.at++];
        if (c == '$')
            ok = append_formula(&t, t.at - 1, "$");
        else if (c == '\\')
            ok = append_command(&t);
        else if (c == '%') /* a comment, with the line's end and what indents the next one */
            t.at = skip_blanks(name, line_end(name, size, t.at), size);
        else if (c != '{' && c != '}')
            ok = buf_append_char(out, c == '~' ? ' ' : c);
    }
    return ok;
}
