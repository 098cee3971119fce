/* DOCX: WordprocessingML (ECMA-376 part 1, 17). Paragraphs with their style, lists, tables,
 * notes at the end; deleted text, fields' code, headers and footers stay out. Pages are known
 * where Word has left marks of where they were broken. */
#include "base/memory.h"
#include "readers/office.h"
#include "readers/xml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_STYLES = 1 << 14,
    MAX_BASED_ON = 16,
    MAX_SPAN = 64,
};

/* ---- Styles ----------------------------------------------------------------- */

struct style {
    char *id, *based_on;
    unsigned level; /* of a heading; 0: none */
    bool code;
};

struct styles {
    struct style *list;
    size_t count, capacity;
};

static void styles_release(struct styles *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->list[i].id);
        free(s->list[i].based_on);
    }
    free(s->list);
}

/* "heading 2", "Title"; the names are English whatever the language. */
static void name_style(struct style *style, const char *name)
{
    if (strncasecmp(name, "heading ", 8) == 0 && name[8] >= '1' && name[8] <= '9')
        style->level = (unsigned)(name[8] - '0');
    else if (strcasecmp(name, "title") == 0)
        style->level = 1;
    style->code =
        strcasecmp(name, "source code") == 0 || strcasecmp(name, "preformatted text") == 0 ||
        strcasecmp(name, "html preformatted") == 0 || strcasecmp(name, "plain text") == 0;
}

static void start_style(void *user, const char *name, const char **attributes)
{
    struct styles *s = user;
    const char *id = xml_attribute(attributes, "styleId");
    const char *value = xml_attribute(attributes, "val");
    if (xml_is(name, "style") && id && s->count < MAX_STYLES &&
        array_reserve(&s->list, &s->capacity, s->count + 1, sizeof *s->list)) {
        s->list[s->count] = (struct style){.id = strdup(id)};
        s->count += s->list[s->count].id != NULL;
        return;
    }
    struct style *style = s->count ? &s->list[s->count - 1] : NULL;
    if (!style || !value)
        return;
    if (xml_is(name, "name"))
        name_style(style, value);
    else if (xml_is(name, "basedOn") && !style->based_on)
        style->based_on = strdup(value);
    else if (xml_is(name, "outlineLvl") && *value >= '0' && *value <= '8' && !style->level)
        style->level = 1 + (unsigned)(*value - '0');
}

static void end_style(void *user, const char *name)
{
    (void)user, (void)name;
}

/* Follows the styles that this one is based on. */
static struct style find_style(const struct styles *s, const char *id)
{
    struct style found = {0};
    for (unsigned depth = 0; id && depth < MAX_BASED_ON; depth++) {
        const struct style *style = NULL;
        for (size_t i = 0; i < s->count && !style; i++)
            if (strcmp(s->list[i].id, id) == 0)
                style = &s->list[i];
        if (!style)
            break;
        if (!found.level)
            found.level = style->level;
        found.code |= style->code;
        id = style->based_on;
    }
    return found;
}

/* ---- The body --------------------------------------------------------------- */

struct body {
    struct writer *w;
    struct styles styles;
    bool pages; /* there are marks of page breaks */
    uint32_t page;
    bool broken;   /* a page was ended, and nothing stands on the next one yet */
    unsigned skip; /* elements deep in what is left out */
    bool in_text;
    bool begun;            /* the paragraph has its block */
    bool code_open;        /* the block before was code, and may go on */
    unsigned level, depth; /* of the paragraph's heading or list */
    bool code;
    const char *note; /* "footnote": paragraphs are notes */
};

static void turn_page(struct body *b)
{
    if (b->pages)
        writer_place(b->w, PLACE_PAGE, ++b->page, NULL);
}

static void begin_paragraph(struct body *b)
{
    if (b->begun)
        return;
    b->begun = true;
    if (b->code && b->code_open) {
        writer_break(b->w);
        return;
    }
    if (b->code)
        writer_begin(b->w, BLOCK_CODE, 0);
    else if (b->level)
        writer_begin(b->w, BLOCK_HEADING, b->level);
    else if (b->depth)
        writer_item(b->w, b->depth, "-");
    else
        writer_begin(b->w, BLOCK_PARAGRAPH, 0);
    b->code_open = b->code;
}

static void end_paragraph(struct body *b)
{
    if (b->code && !b->begun)
        begin_paragraph(b); /* an empty line of code */
    if (!b->code) {
        writer_end(b->w);
        b->code_open = false;
    }
    b->begun = b->code = false;
    b->level = b->depth = 0;
}

static void read_property(struct body *b, const char *name, const char **attributes)
{
    const char *value = xml_attribute(attributes, "val");
    if (xml_is(name, "pStyle") && value) {
        struct style style = find_style(&b->styles, value);
        b->level = style.level;
        b->code = style.code;
    } else if (xml_is(name, "outlineLvl") && value && *value >= '0' && *value <= '8') {
        b->level = 1 + (unsigned)(*value - '0');
    } else if (xml_is(name, "numPr")) {
        b->depth = 1;
    } else if (xml_is(name, "ilvl") && b->depth) {
        b->depth = 1 + (unsigned)(xml_number(attributes, "val", 0) % 10);
    } else if (xml_is(name, "numId") && value && strcmp(value, "0") == 0) {
        b->depth = 0;
    }
}

static void start_table(struct body *b, const char *name, const char **attributes)
{
    if (xml_is(name, "tbl"))
        writer_table_begin(b->w);
    else if (xml_is(name, "tr"))
        writer_row(b->w);
    else if (xml_is(name, "tc"))
        writer_cell(b->w);
    else if (xml_is(name, "gridSpan"))
        for (unsigned long i = 1; i < xml_number(attributes, "val", 1) && i < MAX_SPAN; i++)
            writer_cell(b->w);
}

static bool is_left_out(const char *name)
{
    static const char *const names[] = {"Fallback", "del", "moveFrom", "instrText",
                                        "delText",  "rPr", "sectPr"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (xml_is(name, names[i]))
            return true;
    return false;
}

static void start_body(void *user, const char *name, const char **attributes)
{
    struct body *b = user;
    if (b->skip || is_left_out(name)) {
        b->skip++;
        return;
    }
    if (xml_is(name, "p")) {
        if (b->begun) /* one in the other: a text box */
            end_paragraph(b);
    } else if (xml_is(name, "t")) {
        b->in_text = true;
    } else if (xml_is(name, "tab")) {
        writer_space(b->w);
    } else if (xml_is(name, "br") || xml_is(name, "cr")) {
        const char *type = xml_attribute(attributes, "type");
        b->broken = type && strcmp(type, "page") == 0;
        if (b->broken)
            turn_page(b);
        else
            writer_break(b->w);
    } else if (xml_is(name, "lastRenderedPageBreak")) {
        if (!b->broken) /* Word marks the pages that it was told to end too */
            turn_page(b);
        b->broken = false;
    } else if (xml_is(name, "noBreakHyphen")) {
        begin_paragraph(b);
        writer_string(b->w, "-");
    } else if (xml_is(name, "footnoteReference") || xml_is(name, "endnoteReference")) {
        begin_paragraph(b);
        writer_format(b->w, "[^%lu]", xml_number(attributes, "id", 0));
    } else if (b->note && xml_is(name, b->note)) {
        unsigned long id = xml_number(attributes, "id", 0);
        b->w->prefix[0] = 0;
        if (id) /* 0 and -1 are the lines between text and notes */
            snprintf(b->w->prefix, sizeof b->w->prefix, "[^%lu] ", id);
    } else {
        read_property(b, name, attributes);
        start_table(b, name, attributes);
    }
}

static void end_body(void *user, const char *name)
{
    struct body *b = user;
    if (b->skip) {
        b->skip--;
        return;
    }
    if (xml_is(name, "p"))
        end_paragraph(b);
    else if (xml_is(name, "t"))
        b->in_text = false;
    else if (xml_is(name, "tbl"))
        writer_table_end(b->w);
}

static void text_body(void *user, const char *text, size_t size)
{
    struct body *b = user;
    if (!b->in_text || b->skip)
        return;
    b->broken = false;
    begin_paragraph(b);
    writer_text(b->w, text, size);
}

static bool stop_body(void *user)
{
    return ((struct body *)user)->w->status != RAG_OK;
}

/* ---- The whole -------------------------------------------------------------- */

static rag_status read_notes(struct body *b, const struct package *package, const char *part,
                             const char *name, rag_error *error)
{
    static const struct xml_handler handler = {
        .start = start_body, .end = end_body, .text = text_body, .stop = stop_body};
    const struct package_entry *notes = package_find(package, NULL, part);
    b->note = name;
    rag_status status =
        notes ? xml_parse(package_bytes(package, notes), &handler, b, error) : RAG_OK;
    b->note = NULL;
    return status;
}

static rag_status read_parts(struct body *b, const struct package *package,
                             const struct package_entry *main, rag_error *error)
{
    static const struct xml_handler for_styles = {.start = start_style, .end = end_style};
    static const struct xml_handler for_body = {
        .start = start_body, .end = end_body, .text = text_body, .stop = stop_body};
    static const char mark[] = "lastRenderedPageBreak";
    const struct package_entry *styles =
        package_find(package, package_name(package, main), "styles.xml");
    rag_status status = RAG_OK;
    if (styles)
        status = xml_parse(package_bytes(package, styles), &for_styles, &b->styles, error);
    if (status)
        return status;
    rag_text text = package_bytes(package, main);
    b->pages = memmem(text.data, text.size, mark, sizeof mark - 1) != NULL;
    turn_page(b);
    status = xml_parse(text, &for_body, b, error);
    end_paragraph(b);
    if (!status)
        status = read_notes(b, package, "word/footnotes.xml", "footnote", error);
    return status ? status : read_notes(b, package, "word/endnotes.xml", "endnote", error);
}

static rag_status read_docx(const struct input *input, struct document *document,
                            rag_error *error)
{
    struct package package;
    const struct package_entry *main;
    rag_status status = office_open(&package, input, &main, error);
    if (status)
        return status;
    struct writer w;
    writer_init(&w, document, error);
    office_metadata(&w, &package);
    struct body body = {.w = &w};
    status = read_parts(&body, &package, main, error);
    styles_release(&body.styles);
    package_release(&package);
    rag_status written = writer_finish(&w);
    return status ? status : written;
}

const struct reader docx_reader = {"docx", false, read_docx};
