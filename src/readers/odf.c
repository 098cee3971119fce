/* ODT, ODP, ODS: OpenDocument 1.3, content.xml. Headings, paragraphs, lists, tables, slides and
 * sheets; what was deleted, annotations and generated indexes stay out. */
#include "base/memory.h"
#include "readers/office.h"
#include "readers/sheet.h"
#include "readers/xml.h"

#include <string.h>

enum {
    MAX_STYLES = 1 << 14,
    MAX_REPEATED_CELLS = 256, /* that a cell with text is repeated; more are filling */
    MAX_REPEATED_ROWS = 64,
    MAX_BLANKS = 64, /* of text:s */
};

/* Automatic styles, "P12", by what they are derived from. */
struct style {
    char *name;
    bool code, title;
};

struct content {
    struct writer *w;
    struct sheet sheet;
    bool is_sheets, is_slides, pages;
    uint32_t page, number; /* of slides or sheets */
    struct style *styles;
    size_t count, capacity;
    unsigned skip;       /* elements deep in what is left out */
    unsigned paragraphs; /* open ones, in each other */
    unsigned lists, notes, tables;
    unsigned level; /* of the heading that is a title, 0: none */
    bool titled;    /* the slide's frame is its title */
    bool untitled;  /* the slide has no heading yet */
    char *slide;    /* its name, if someone gave it one */
    bool body, code_open;
    /* The cell of a sheet that is in hand. */
    unsigned long row, column, cells, rows; /* cells, rows: how often it is repeated */
    bool in_cell;
    struct buf value;
};

/* ---- Styles ----------------------------------------------------------------- */

static void add_style(struct content *c, const char **attributes)
{
    const char *name = xml_attribute(attributes, "name");
    const char *parent = xml_attribute(attributes, "parent-style-name");
    if (!name || !parent || c->count >= MAX_STYLES ||
        !array_reserve(&c->styles, &c->capacity, c->count + 1, sizeof *c->styles))
        return;
    bool code = strncmp(parent, "Preformatted", 12) == 0 || strncmp(parent, "Source", 6) == 0;
    bool title = strcmp(parent, "Title") == 0;
    if (!code && !title)
        return;
    c->styles[c->count] = (struct style){strdup(name), code, title};
    c->count += c->styles[c->count].name != NULL;
}

static struct style find_style(const struct content *c, const char *name)
{
    struct style none = {0};
    if (!name)
        return none;
    if (strncmp(name, "Preformatted", 12) == 0 || strncmp(name, "Source", 6) == 0)
        none.code = true;
    if (strcmp(name, "Title") == 0)
        none.title = true;
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->styles[i].name, name) == 0)
            return c->styles[i];
    return none;
}

/* ---- Slides ----------------------------------------------------------------- */

static void start_slide(struct content *c, const char *name)
{
    writer_end(c->w);
    writer_place(c->w, PLACE_SLIDE, ++c->number, NULL);
    c->untitled = true;
    free(c->slide);
    /* "page3" is no name that someone gave. */
    bool given = name && strncmp(name, "page", 4) != 0 && strncmp(name, "Slide", 5) != 0;
    c->slide = given ? strdup(name) : NULL;
}

/* A slide whose text does not begin with its title gets its name or number for one: else it
 * would seem to belong to the slide before. */
static void title_slide(struct content *c)
{
    if (c->untitled && !c->titled) {
        writer_begin(c->w, BLOCK_HEADING, 1);
        if (c->slide)
            writer_string(c->w, c->slide);
        else
            writer_format(c->w, "%u", c->number);
        writer_end(c->w);
    }
    c->untitled = false;
}

/* ---- Text ------------------------------------------------------------------- */

static void append(struct content *c, const char *text, size_t size)
{
    if (!c->in_cell)
        writer_text(c->w, text, size);
    else if (!buf_append(&c->value, text, size))
        writer_fail(c->w, RAG_INPUT, "a cell with more than %zu bytes", c->value.max);
}

static void start_paragraph(struct content *c, const char *name, const char **attributes)
{
    if (c->paragraphs++) {
        writer_space(c->w); /* a note's, or a text box's, in a paragraph */
        return;
    }
    if (c->in_cell) {
        if (c->value.size)
            append(c, " ", 1);
        return;
    }
    title_slide(c);
    struct style style = find_style(c, xml_attribute(attributes, "style-name"));
    bool code = style.code && !c->lists && !c->tables;
    if (code && c->code_open) {
        writer_break(c->w);
        return;
    }
    if (c->code_open)
        writer_end(c->w);
    c->code_open = code;
    if (xml_is(name, "h"))
        writer_begin(c->w, BLOCK_HEADING,
                     (unsigned)(xml_number(attributes, "outline-level", 1) % 100));
    else if (c->titled || style.title)
        writer_begin(c->w, BLOCK_HEADING, 1);
    else if (code)
        writer_begin(c->w, BLOCK_CODE, 0);
    else if (!c->lists || !c->w->prefix[0])
        writer_begin(c->w, BLOCK_PARAGRAPH, 0);
}

static void end_paragraph(struct content *c)
{
    c->paragraphs -= c->paragraphs > 0;
    if (!c->paragraphs && !c->in_cell && !c->code_open)
        writer_end(c->w);
}

/* ---- Sheets ----------------------------------------------------------------- */

static void start_in_sheet(struct content *c, const char *name, const char **attributes)
{
    if (xml_is(name, "table") && !c->in_cell) {
        const char *title = xml_attribute(attributes, "name");
        sheet_begin(&c->sheet, ++c->number, title ? title : "");
        c->row = 1;
    } else if (xml_is(name, "table-row")) {
        sheet_row(&c->sheet, c->row);
        c->rows = xml_number(attributes, "number-rows-repeated", 1);
        c->column = 0;
    } else if (xml_is(name, "table-cell") || xml_is(name, "covered-table-cell")) {
        c->in_cell = true;
        c->cells = xml_number(attributes, "number-columns-repeated", 1);
        buf_clear(&c->value);
    }
}

static void end_in_sheet(struct content *c, const char *name)
{
    if (xml_is(name, "table-cell") || xml_is(name, "covered-table-cell")) {
        unsigned long times = c->cells < MAX_REPEATED_CELLS ? c->cells : MAX_REPEATED_CELLS;
        for (unsigned long i = 0; i < times && c->value.size; i++)
            sheet_cell(&c->sheet, c->column + i, c->value.data, c->value.size);
        c->column += c->cells < SHEET_MAX_COLUMNS ? c->cells : SHEET_MAX_COLUMNS;
        c->in_cell = false;
    } else if (xml_is(name, "table-row")) {
        bool filled = c->sheet.row.count > 0;
        sheet_row_end(&c->sheet);
        /* Rows that are the same are written once and counted. */
        c->row += filled && c->rows > MAX_REPEATED_ROWS ? MAX_REPEATED_ROWS : c->rows;
    } else if (xml_is(name, "table") && !c->in_cell) {
        sheet_end(&c->sheet);
    }
}

/* ---- Elements --------------------------------------------------------------- */

static bool is_left_out(const char *name)
{
    static const char *const names[] = {"tracked-changes",
                                        "annotation",
                                        "table-of-content",
                                        "alphabetical-index",
                                        "illustration-index",
                                        "table-index",
                                        "note-citation",
                                        "forms",
                                        "shapes",
                                        "event-listeners",
                                        "bibliography-configuration"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (xml_is(name, names[i]))
            return true;
    return false;
}

static void start_structure(struct content *c, const char *name, const char **attributes)
{
    if (xml_is(name, "list")) {
        c->lists++;
    } else if (xml_is(name, "list-item") || xml_is(name, "list-header")) {
        if (!c->paragraphs && !c->in_cell)
            writer_item(c->w, c->lists, "-");
    } else if (xml_is(name, "table")) {
        c->tables++;
        writer_table_begin(c->w);
    } else if (xml_is(name, "table-row")) {
        writer_row(c->w);
    } else if (xml_is(name, "table-cell")) {
        writer_cell(c->w);
    } else if (xml_is(name, "covered-table-cell")) {
        writer_cell(c->w);
    } else if (xml_is(name, "page") && c->is_slides) {
        start_slide(c, xml_attribute(attributes, "name"));
    } else if (xml_is(name, "frame")) {
        const char *class = xml_attribute(attributes, "class");
        c->titled = c->is_slides && class && strcmp(class, "title") == 0;
    }
}

static void start_content(void *user, const char *name, const char **attributes)
{
    struct content *c = user;
    if (c->skip || is_left_out(name)) {
        c->skip++;
        return;
    }
    if (xml_is(name, "style")) {
        add_style(c, attributes);
    } else if (xml_is(name, "spreadsheet")) {
        c->is_sheets = true;
    } else if (xml_is(name, "presentation")) {
        c->is_slides = true;
    } else if (xml_is(name, "body")) {
        c->body = true;
    } else if (!c->body) {
        return;
    } else if (xml_is(name, "p") || xml_is(name, "h")) {
        start_paragraph(c, name, attributes);
    } else if (xml_is(name, "s")) {
        unsigned long blanks = xml_number(attributes, "c", 1);
        for (unsigned long i = 0; i < blanks && i < MAX_BLANKS; i++)
            append(c, " ", 1);
    } else if (xml_is(name, "tab")) {
        append(c, "\t", 1);
    } else if (xml_is(name, "line-break")) {
        if (c->in_cell)
            append(c, " ", 1);
        else
            writer_break(c->w);
    } else if (xml_is(name, "soft-page-break")) {
        if (c->pages)
            writer_place(c->w, PLACE_PAGE, ++c->page, NULL);
    } else if (xml_is(name, "note-body")) {
        append(c, " (", 2);
    } else if (c->is_sheets) {
        start_in_sheet(c, name, attributes);
    } else {
        start_structure(c, name, attributes);
    }
}

static void end_content(void *user, const char *name)
{
    struct content *c = user;
    if (c->skip) {
        c->skip--;
        return;
    }
    if (!c->body)
        return;
    if (xml_is(name, "p") || xml_is(name, "h")) {
        end_paragraph(c);
    } else if (xml_is(name, "note-body")) {
        append(c, ")", 1);
    } else if (c->is_sheets) {
        end_in_sheet(c, name);
    } else if (xml_is(name, "list")) {
        c->lists -= c->lists > 0;
        if (!c->paragraphs)
            writer_end(c->w);
    } else if (xml_is(name, "table")) {
        c->tables -= c->tables > 0;
        writer_table_end(c->w);
    } else if (xml_is(name, "frame")) {
        c->titled = false;
        if (c->paragraphs && !c->in_cell)
            writer_space(c->w); /* a text box ends in a paragraph */
    }
}

static void text_content(void *user, const char *text, size_t size)
{
    struct content *c = user;
    if (c->paragraphs && !c->skip)
        append(c, text, size);
}

static bool stop_content(void *user)
{
    return ((struct content *)user)->w->status != RAG_OK;
}

/* ---- The whole -------------------------------------------------------------- */

static bool is_wanted(const char *name)
{
    return strcmp(name, "content.xml") == 0 || strcmp(name, "meta.xml") == 0 ||
           strcmp(name, "META-INF/manifest.xml") == 0;
}

static bool contains(rag_text text, const char *word)
{
    return memmem(text.data, text.size, word, strlen(word)) != NULL;
}

static rag_status read_content(struct content *c, const struct package *package,
                               rag_error *error)
{
    static const struct xml_handler handler = {
        .start = start_content, .end = end_content, .text = text_content, .stop = stop_content};
    const struct package_entry *content = package_find(package, NULL, "content.xml");
    const struct package_entry *meta = package_find(package, NULL, "meta.xml");
    const struct package_entry *manifest = package_find(package, NULL, "META-INF/manifest.xml");
    if (manifest && contains(package_bytes(package, manifest), "encryption-data"))
        return fail_with(error, RAG_INPUT, "an OpenDocument file with a password");
    if (!content)
        return fail_with(error, RAG_INPUT, "an OpenDocument file without content.xml");
    if (meta)
        office_dublin_core(c->w, package_bytes(package, meta));
    rag_text xml = package_bytes(package, content);
    c->pages = contains(xml, "soft-page-break");
    if (c->pages)
        writer_place(c->w, PLACE_PAGE, ++c->page, NULL);
    return xml_parse(xml, &handler, c, error);
}

static rag_status read_odf(const struct input *input, struct document *document,
                           rag_error *error)
{
    struct package package;
    rag_status status =
        package_read(&package, input->bytes, input->size, false, is_wanted, error);
    if (status)
        return status;
    struct writer w;
    writer_init(&w, document, error);
    struct content content = {.w = &w, .value = BUF_INIT(1 << 24)};
    sheet_init(&content.sheet, &w);
    status = read_content(&content, &package, error);
    sheet_end(&content.sheet);
    sheet_release(&content.sheet);
    for (size_t i = 0; i < content.count; i++)
        free(content.styles[i].name);
    free(content.styles);
    free(content.slide);
    buf_release(&content.value);
    package_release(&package);
    rag_status written = writer_finish(&w);
    return status ? status : written;
}

const struct reader odf_reader = {"odt odp ods", false, read_odf};
