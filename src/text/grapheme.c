#include "text/grapheme.h"

#include "text/utf8.h"

static bool mark(struct code_table *classes, uint32_t first, uint32_t last, uint32_t bits)
{
    struct code_range range = {first, last};
    return code_table_mark(classes, &(struct code_ranges){&range, 1}, bits);
}

static bool mark_hangul(struct code_table *classes)
{
    for (uint32_t code = 0xAC00; code <= 0xD7A3; code++)
        if (!code_table_set(classes, code,
                            (code - 0xAC00) % 28 ? GRAPHEME_HANGUL_LVT : GRAPHEME_HANGUL_LV))
            return false;
    /* U+16D63 and its like are Kirat Rai vowels. */
    return mark(classes, 0x1100, 0x115F, GRAPHEME_HANGUL_L) &&
           mark(classes, 0xA960, 0xA97C, GRAPHEME_HANGUL_L) &&
           mark(classes, 0x1160, 0x11A7, GRAPHEME_HANGUL_V) &&
           mark(classes, 0xD7B0, 0xD7C6, GRAPHEME_HANGUL_V) &&
           mark(classes, 0x16D63, 0x16D63, GRAPHEME_HANGUL_V) &&
           mark(classes, 0x16D67, 0x16D6A, GRAPHEME_HANGUL_V) &&
           mark(classes, 0x11A8, 0x11FF, GRAPHEME_HANGUL_T) &&
           mark(classes, 0xD7CB, 0xD7FB, GRAPHEME_HANGUL_T);
}

bool grapheme_classes(struct code_table *classes)
{
    return code_table_init(classes) && mark_hangul(classes) &&
           code_table_mark(classes, &reference_extend, GRAPHEME_EXTEND) &&
           code_table_mark(classes, &reference_spacing, GRAPHEME_SPACING) &&
           code_table_mark(classes, &reference_prepend, GRAPHEME_PREPEND) &&
           code_table_mark(classes, &reference_control, GRAPHEME_CONTROL) &&
           code_table_mark(classes, &reference_pictograph, GRAPHEME_PICTOGRAPH) &&
           code_table_mark(classes, &reference_consonant, GRAPHEME_CONSONANT) &&
           code_table_mark(classes, &reference_linker, GRAPHEME_LINKER) &&
           code_table_mark(classes, &reference_conjunct_extend, GRAPHEME_CONJUNCT_EXTEND) &&
           code_table_set(classes, 0, GRAPHEME_CONTROL) &&
           code_table_set(classes, '\r', GRAPHEME_CONTROL) &&
           code_table_set(classes, '\n', GRAPHEME_CONTROL);
}

static bool hangul_joins(uint32_t a, uint32_t b)
{
    if (a & GRAPHEME_HANGUL_L)
        return b & (GRAPHEME_HANGUL_L | GRAPHEME_HANGUL_V | GRAPHEME_HANGUL_LV |
                    GRAPHEME_HANGUL_LVT);
    if (a & (GRAPHEME_HANGUL_LV | GRAPHEME_HANGUL_V))
        return b & (GRAPHEME_HANGUL_V | GRAPHEME_HANGUL_T);
    return a & (GRAPHEME_HANGUL_LVT | GRAPHEME_HANGUL_T) && b & GRAPHEME_HANGUL_T;
}

/* What the cluster so far ends with, for the rules that look further back than one. */
struct tail {
    bool pictograph; /* Extended_Pictographic Extend* (GB11) */
    bool joined;     /* the same and ZWJ */
    bool consonant;  /* Consonant [Extend Linker]* (GB9c) */
    bool linked;     /* with a Linker among them */
};

static void tail_add(struct tail *tail, uint32_t class, uint32_t code)
{
    bool zwj = code == 0x200D;
    tail->joined = tail->pictograph && zwj;
    tail->pictograph =
        class & GRAPHEME_PICTOGRAPH || (tail->pictograph && class & GRAPHEME_EXTEND && !zwj);
    if (class & GRAPHEME_CONSONANT) {
        tail->consonant = true;
        tail->linked = false;
    } else if (!(class & GRAPHEME_CONJUNCT_EXTEND)) {
        tail->consonant = tail->linked = false;
    } else if (class & GRAPHEME_LINKER) {
        tail->linked = tail->consonant;
    }
}

size_t grapheme_next(const struct code_table *classes, const char *text, size_t size)
{
    size_t length;
    uint32_t code = (uint32_t)utf8_decode(text, size, &length);
    if (code == '\r' && size > 1 && text[1] == '\n')
        return 2;
    uint32_t class = code_table_get(classes, code);
    if (class & GRAPHEME_CONTROL)
        return length;
    struct tail tail = {0};
    size_t at = length;
    for (tail_add(&tail, class, code); at < size; tail_add(&tail, class, code)) {
        code = (uint32_t)utf8_decode(text + at, size - at, &length);
        uint32_t next = code_table_get(classes, code);
        bool joins =
            !(next & GRAPHEME_CONTROL) &&
            (next & (GRAPHEME_EXTEND | GRAPHEME_SPACING) || class & GRAPHEME_PREPEND ||
             hangul_joins(class, next) || (tail.joined && next & GRAPHEME_PICTOGRAPH) ||
             (tail.linked && next & GRAPHEME_CONSONANT));
        if (!joins)
            break;
        class = next;
        at += length;
    }
    return at;
}
