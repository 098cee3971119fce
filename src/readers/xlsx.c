/* XLSX: SpreadsheetML (ECMA-376 part 1, 18). The sheets in their order with their rows; of
 * formulas the values that were computed last; dates as dates. */
#include "base/memory.h"
#include "readers/office.h"
#include "readers/sheet.h"
#include "readers/xml.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    MAX_STYLES = 1 << 16,
    MAX_FORMATS = 1 << 12,
    DAYS_TO_1970 = 25569, /* from the day 0 of spreadsheets */
    MAX_DAYS = 2958466,   /* the end of the year 9999 */
};

struct book {
    struct writer *w;
    const struct relations *relations;
    const struct package *package;
    rag_error *error;
    rag_status status;
    struct sheet sheet;
    uint32_t sheets;
    /* The strings that cells share: where each ends in `strings`. */
    struct buf strings;
    size_t *ends;
    size_t count, capacity;
    /* Which of the styles of cells are dates. */
    bool dates[MAX_STYLES];
    size_t styles;
    bool in_styles;
    unsigned long formats[MAX_FORMATS]; /* numbers of formats that are dates */
    size_t format_count;
    /* The element in hand. */
    bool in_text, phonetic;
    struct buf value;
    unsigned long row, column;
    char type;
    bool date;
};

/* ---- Shared strings --------------------------------------------------------- */

static void start_string(void *user, const char *name, const char **attributes)
{
    (void)attributes;
    struct book *b = user;
    if (xml_is(name, "rPh"))
        b->phonetic = true;
    b->in_text = xml_is(name, "t");
}

static void end_string(void *user, const char *name)
{
    struct book *b = user;
    b->in_text = false;
    if (xml_is(name, "rPh"))
        b->phonetic = false;
    if (!xml_is(name, "si"))
        return;
    if (!array_reserve(&b->ends, &b->capacity, b->count + 1, sizeof *b->ends))
        writer_fail(b->w, RAG_MEMORY, "out of memory");
    else
        b->ends[b->count++] = b->strings.size;
}

static void text_string(void *user, const char *text, size_t size)
{
    struct book *b = user;
    if (b->in_text && !b->phonetic && !buf_append(&b->strings, text, size))
        writer_fail(b->w, RAG_MEMORY, "out of memory");
}

/* ---- Dates ------------------------------------------------------------------ */

/* A format's code with year, day or hour in it, outside of quotes and brackets. */
static bool is_date_code(const char *code)
{
    bool quoted = false, bracket = false;
    for (; *code; code++) {
        if (*code == '"')
            quoted = !quoted;
        else if (*code == '[')
            bracket = true;
        else if (*code == ']')
            bracket = false;
        else if (*code == '\\' && code[1])
            code++;
        else if (!quoted && !bracket && strchr("yYdDhH", *code))
            return true;
    }
    return false;
}

static bool is_date_format(const struct book *b, unsigned long number)
{
    if ((number >= 14 && number <= 22) || (number >= 27 && number <= 36) ||
        (number >= 45 && number <= 47))
        return true;
    for (size_t i = 0; i < b->format_count; i++)
        if (b->formats[i] == number)
            return true;
    return false;
}

static void start_style(void *user, const char *name, const char **attributes)
{
    struct book *b = user;
    if (xml_is(name, "cellXfs")) {
        b->in_styles = true;
    } else if (xml_is(name, "numFmt")) {
        const char *code = xml_attribute(attributes, "formatCode");
        if (code && is_date_code(code) && b->format_count < MAX_FORMATS)
            b->formats[b->format_count++] = xml_number(attributes, "numFmtId", 0);
    } else if (xml_is(name, "xf") && b->in_styles && b->styles < MAX_STYLES) {
        b->dates[b->styles++] = is_date_format(b, xml_number(attributes, "numFmtId", 0));
    }
}

static void end_style(void *user, const char *name)
{
    struct book *b = user;
    if (xml_is(name, "cellXfs"))
        b->in_styles = false;
}

/* "2023-01-31" or "2023-01-31 12:30:00" or "12:30:00". */
static void format_date(double days, char out[32])
{
    double whole = floor(days);
    long seconds = lround((days - whole) * 86400);
    time_t day = (time_t)(whole - DAYS_TO_1970) * 86400;
    struct tm date;
    gmtime_r(&day, &date);
    size_t n = 0;
    if (whole >= 1)
        n = strftime(out, 32, "%Y-%m-%d", &date);
    if (seconds || whole < 1)
        snprintf(out + n, 32 - n, "%s%02ld:%02ld:%02ld", n ? " " : "", seconds / 3600,
                 seconds / 60 % 60, seconds % 60);
}

/* ---- Cells ------------------------------------------------------------------ */

/* "B12": the column from 0; *row from 1 if it is given. */
static bool read_reference(const char *reference, unsigned long *row, unsigned long *column)
{
    unsigned long letters = 0, digits = 0;
    for (; *reference >= 'A' && *reference <= 'Z' && letters < SHEET_MAX_COLUMNS; reference++)
        letters = letters * 26 + (unsigned long)(*reference - 'A') + 1;
    for (; *reference >= '0' && *reference <= '9' && digits < 10000000; reference++)
        digits = digits * 10 + (unsigned long)(*reference - '0');
    if (letters == 0 || digits == 0 || *reference)
        return false;
    *column = letters - 1;
    *row = digits;
    return true;
}

static void write_number(struct book *b)
{
    char *end, text[48];
    double number = strtod(b->value.data, &end);
    if (end == b->value.data || *end || !isfinite(number)) {
        sheet_cell(&b->sheet, b->column, b->value.data, b->value.size);
        return;
    }
    if (b->date && number >= 0 && number < MAX_DAYS)
        format_date(number, text);
    else
        snprintf(text, sizeof text, "%.15g", number);
    sheet_cell(&b->sheet, b->column, text, strlen(text));
}

static void write_cell(struct book *b)
{
    if (!b->value.size)
        return;
    if (b->type == 's') {
        unsigned long i = strtoul(b->value.data, NULL, 10);
        if (i < b->count) {
            size_t begin = i ? b->ends[i - 1] : 0;
            sheet_cell(&b->sheet, b->column, b->strings.data + begin, b->ends[i] - begin);
        }
    } else if (b->type == 'b') {
        const char *word = b->value.data[0] == '1' ? "TRUE" : "FALSE";
        sheet_cell(&b->sheet, b->column, word, strlen(word));
    } else if (b->type == 'n') {
        write_number(b);
    } else {
        sheet_cell(&b->sheet, b->column, b->value.data, b->value.size);
    }
}

static void start_cell(struct book *b, const char **attributes)
{
    const char *reference = xml_attribute(attributes, "r");
    const char *type = xml_attribute(attributes, "t");
    unsigned long row, column, style = xml_number(attributes, "s", 0);
    if (reference && read_reference(reference, &row, &column))
        b->column = column;
    else
        b->column++; /* counted from SIZE_MAX: see start_sheet */
    b->type = !type                    ? 'n'
              : strcmp(type, "s") == 0 ? 's'
              : *type == 'b'           ? 'b'
              : *type == 'n'           ? 'n'
                                       : 't';
    b->date = style < b->styles && b->dates[style];
    buf_clear(&b->value);
}

static void start_sheet(void *user, const char *name, const char **attributes)
{
    struct book *b = user;
    if (xml_is(name, "row")) {
        b->row = xml_number(attributes, "r", b->row + 1);
        sheet_row(&b->sheet, b->row);
        b->column = (unsigned long)-1;
    } else if (xml_is(name, "c")) {
        start_cell(b, attributes);
    } else if (xml_is(name, "rPh")) {
        b->phonetic = true;
    }
    b->in_text = xml_is(name, "v") || xml_is(name, "t");
}

static void end_sheet(void *user, const char *name)
{
    struct book *b = user;
    b->in_text = false;
    if (xml_is(name, "c"))
        write_cell(b);
    else if (xml_is(name, "row"))
        sheet_row_end(&b->sheet);
    else if (xml_is(name, "rPh"))
        b->phonetic = false;
}

static void text_sheet(void *user, const char *text, size_t size)
{
    struct book *b = user;
    if (b->in_text && !b->phonetic && !buf_append(&b->value, text, size))
        writer_fail(b->w, RAG_INPUT, "a cell with more than %zu bytes", b->value.max);
}

static bool stop_sheet(void *user)
{
    return ((struct book *)user)->w->status != RAG_OK;
}

/* ---- The whole -------------------------------------------------------------- */

static void start_book(void *user, const char *name, const char **attributes)
{
    static const struct xml_handler handler = {
        .start = start_sheet, .end = end_sheet, .text = text_sheet, .stop = stop_sheet};
    struct book *b = user;
    const char *title = xml_attribute(attributes, "name"),
               *id = xml_attribute(attributes, "id");
    if (!xml_is(name, "sheet") || !title || !id || b->status)
        return;
    const struct package_entry *sheet = relations_find(b->relations, id, NULL);
    b->sheets++;
    if (!sheet)
        return;
    b->row = 0;
    sheet_begin(&b->sheet, b->sheets, title);
    b->status = xml_parse(package_bytes(b->package, sheet), &handler, b, b->error);
    sheet_end(&b->sheet);
}

static void end_book(void *user, const char *name)
{
    (void)user, (void)name;
}

static rag_status read_book(struct book *b, const struct package_entry *main, rag_error *error)
{
    static const struct xml_handler for_strings = {
        .start = start_string, .end = end_string, .text = text_string, .stop = stop_sheet};
    static const struct xml_handler for_styles = {.start = start_style, .end = end_style};
    static const struct xml_handler for_book = {.start = start_book, .end = end_book};
    const struct package_entry *strings = relations_find(b->relations, NULL, "sharedStrings");
    const struct package_entry *styles = relations_find(b->relations, NULL, "styles");
    rag_status status = RAG_OK;
    if (strings)
        status = xml_parse(package_bytes(b->package, strings), &for_strings, b, error);
    if (!status && styles)
        status = xml_parse(package_bytes(b->package, styles), &for_styles, b, error);
    if (!status)
        status = xml_parse(package_bytes(b->package, main), &for_book, b, error);
    return status ? status : b->status;
}

static rag_status read_xlsx(const struct input *input, struct document *document,
                            rag_error *error)
{
    struct package package;
    const struct package_entry *main;
    rag_status status = office_open(&package, input, &main, error);
    if (status)
        return status;
    struct writer w;
    struct relations relations = {0};
    struct book *book = calloc(1, sizeof *book);
    writer_init(&w, document, error);
    office_metadata(&w, &package);
    if (book) {
        *book = (struct book){.w = &w,
                              .relations = &relations,
                              .package = &package,
                              .error = error,
                              .strings = BUF_INIT(DOCUMENT_MAX_BYTES),
                              .value = BUF_INIT(1 << 24)};
        sheet_init(&book->sheet, &w);
        status = relations_read(&relations, &package, package_name(&package, main), error);
        if (!status)
            status = read_book(book, main, error);
        sheet_release(&book->sheet);
        buf_release(&book->strings);
        buf_release(&book->value);
        free(book->ends);
        free(book);
    } else {
        status = fail_memory(error);
    }
    relations_release(&relations);
    package_release(&package);
    rag_status written = writer_finish(&w);
    return status ? status : written;
}

const struct reader xlsx_reader = {"xlsx", false, read_xlsx};
