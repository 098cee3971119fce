/* Folding is NFKC (UAX #15), full case folding, and the removal of what is an accent in
 * the scripts that have them: Latin, Greek, Cyrillic, Arabic, Hebrew; and the digits of other
 * scripts are ASCII's. The vowel signs of
 * Indic scripts and the marks of kana and Thai are no accents. Each character is folded
 * by itself; sequences that NFKC would compose are left to word_compose(). */
#include "text/word_table.h"

#include "base/memory.h"

#include <pthread.h>
#include <string.h>
#include <utf8proc.h>

enum { KANA_FIRST = 0x3041, KANA_LAST = 0x30FF, VOICED = 0x3099, SEMI_VOICED = 0x309A };

struct code_table word_table;

static uint32_t *expansions; /* a length and so many entries */
static size_t expansion_count, expansion_capacity;
static uint16_t kana_composed[2][KANA_LAST - KANA_FIRST + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

static bool within(const struct code_range *ranges, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

static bool is_unspaced(uint32_t code)
{
    static const struct code_range ranges[] = {
        {0x0E00, 0x0FFF}, /* Thai, Lao, Tibetan */
        {0x1000, 0x109F}, /* Myanmar */
        {0x1100, 0x11FF}, /* Hangul letters */
        {0x1780, 0x17FF}, /* Khmer */
        {0x2E80, 0x2FDF}, /* Han radicals */
        {0x3005, 0x3007}, {0x3021, 0x3029},   {0x3031, 0x3035},   {0x3038, 0x303C},
        {0x3041, 0x31FF},                   /* kana, Bopomofo, Hangul letters */
        {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, /* Han */
        {0xA000, 0xA4CF},                   /* Yi */
        {0xA960, 0xA97F}, {0xA9E0, 0xA9FF},   {0xAA60, 0xAA7F},   {0xAC00, 0xD7FF}, /* Hangul */
        {0xF900, 0xFAFF}, {0x1AFF0, 0x1B16F}, {0x20000, 0x3FFFD},
    };
    return within(ranges, sizeof ranges / sizeof *ranges, code);
}

static bool is_accent(uint32_t code)
{
    static const struct code_range ranges[] = {
        {0x0300, 0x036F}, {0x0483, 0x0489},   {0x0591, 0x05C7}, {0x0610, 0x061A},
        {0x0640, 0x0640}, {0x064B, 0x065F},   {0x0670, 0x0670}, {0x06D6, 0x06ED},
        {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},   {0x20D0, 0x20FF}, {0xFE00, 0xFE0F},
        {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF},
    };
    return within(ranges, sizeof ranges / sizeof *ranges, code);
}

/* What a folded character is. */
static uint32_t kind_of(uint32_t code)
{
    switch (code) {
    case '_':
    case '-':
    case '.':
    case '\'':
        return WORD_JOINT;
    case '+':
    case '#':
        return WORD_SIGN;
    case 0x200B: /* a break opportunity: parts words where there are no spaces */
        return 0;
    default:
        break;
    }
    if (is_accent(code))
        return WORD_IGNORED;
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_CF:
        return WORD_IGNORED;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_NL:
        return is_unspaced(code) ? WORD_UNSPACED : WORD_LETTER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
        return is_unspaced(code) ? WORD_UNSPACED_MARK : WORD_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NO:
        return WORD_DIGIT;
    default:
        return 0;
    }
}

static uint32_t entry_of(uint32_t code)
{
    /* Quotation marks and hyphens as people type them. */
    if (code == 0x2019)
        code = '\'';
    if (code == 0x2010 || code == 0x2011)
        code = '-';
    return code | kind_of(code);
}

static bool set_expanded(uint32_t code, const uint32_t *entries, size_t count)
{
    if (!array_reserve(&expansions, &expansion_capacity, expansion_count + count + 1,
                       sizeof *expansions))
        return false;
    uint32_t index = (uint32_t)expansion_count;
    expansions[expansion_count++] = (uint32_t)count;
    for (size_t i = 0; i < count; i++)
        expansions[expansion_count++] = entries[i];
    return code_table_set(&word_table, code, WORD_EXPANDED | index);
}

/* Letters with a stroke and ligatures, which Unicode does not decompose. */
static const struct {
    uint16_t code;
    char letters[3];
} plain_letters[] = {
    {0x00E6, "ae"}, {0x00F0, "d"}, {0x00F8, "o"}, {0x00FE, "th"}, {0x0111, "d"},
    {0x0127, "h"},  {0x0131, "i"}, {0x0142, "l"}, {0x0153, "oe"}, {0x0167, "t"},
    {0x0180, "b"},  {0x01E5, "g"}, {0x0268, "i"}, {0x0289, "u"},
};

/* Makes one character of a folding plain: one or two take its place. */
static utf8proc_ssize_t make_plain(utf8proc_int32_t code, utf8proc_int32_t out[2])
{
    out[0] = code;
    for (size_t i = 0; i < sizeof plain_letters / sizeof *plain_letters; i++) {
        if (plain_letters[i].code != code)
            continue;
        out[0] = plain_letters[i].letters[0];
        out[1] = plain_letters[i].letters[1];
        return out[1] ? 2 : 1;
    }
    if (code == 0x0671) /* alef wasla */
        out[0] = 0x0627;
    if (code >= 0x80 && utf8proc_category(code) == UTF8PROC_CATEGORY_ND) {
        /* The digits of a script follow each other, and the groups of ten have gaps. */
        utf8proc_int32_t zero = code;
        while (utf8proc_category(zero - 1) == UTF8PROC_CATEGORY_ND)
            zero--;
        out[0] = '0' + (code - zero) % 10;
    }
    return 1;
}

/* What is left of a folding without accents, in [64]. */
static utf8proc_ssize_t drop_accents(utf8proc_int32_t *parts, utf8proc_ssize_t count)
{
    utf8proc_int32_t kept[64];
    utf8proc_ssize_t size = 0;
    for (utf8proc_ssize_t i = 0; i < count && size < 63; i++)
        if (!is_accent((uint32_t)parts[i]) || count == 1)
            size += make_plain(parts[i], kept + size);
    memcpy(parts, kept, (size_t)size * sizeof *kept);
    return size;
}

static bool set_folded(uint32_t code)
{
    utf8proc_int32_t parts[64];
    uint32_t entries[64];
    int boundary = 0;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    if (category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_CO ||
        category == UTF8PROC_CATEGORY_CS)
        return true;
    uint32_t upper =
        category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LT ? WORD_UPPER : 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(
        (utf8proc_int32_t)code, parts, 64,
        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD, &boundary);
    if (count < 0 || count > 64)
        count = (parts[0] = (utf8proc_int32_t)code, 1);
    utf8proc_ssize_t kept = drop_accents(parts, count);
    if (kept == 0)
        return code_table_set(&word_table, code, code | WORD_IGNORED);
    /* What is left of marks belongs together, as that of kana. */
    kept = utf8proc_normalize_utf32(parts, kept, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (kept < 1)
        return true;
    for (utf8proc_ssize_t i = 0; i < kept; i++)
        entries[i] = entry_of((uint32_t)parts[i]) | upper;
    if (kept == 1)
        return code_table_set(&word_table, code, entries[0]);
    /* "Ægir" is no "AEgir", which would have parts; a capital sharp s stands among capitals. */
    if (count == 1)
        for (utf8proc_ssize_t i = 1; i < kept; i++)
            entries[i] &= ~WORD_UPPER;
    return set_expanded(code, entries, (size_t)kept);
}

static void note_kana(void)
{
    for (uint32_t code = KANA_FIRST; code <= KANA_LAST; code++) {
        utf8proc_int32_t parts[4];
        int boundary = 0;
        if (utf8proc_decompose_char((utf8proc_int32_t)code, parts, 4, UTF8PROC_DECOMPOSE,
                                    &boundary) == 2 &&
            (parts[1] == VOICED || parts[1] == SEMI_VOICED))
            kana_composed[parts[1] == SEMI_VOICED][parts[0] - KANA_FIRST] = (uint16_t)code;
    }
}

/* Blocks whose characters stay as they are need no look at utf8proc's tables. */
static bool set_verbatim(uint32_t first, uint32_t last)
{
    for (uint32_t code = first; code <= last; code++)
        if (!code_table_set(&word_table, code, code | WORD_UNSPACED))
            return false;
    return true;
}

static void make_table(void)
{
    static const struct code_range folded[] = {
        {0x0001, 0x33FF}, {0x4DC0, 0x4DFF},   {0xA000, 0xABFF},   {0xD7A4, 0xD7FF},
        {0xF900, 0xFFFD}, {0x10000, 0x1FFFD}, {0x2F800, 0x2FA1D}, {0xE0001, 0xE01EF}};
    if (!code_table_init(&word_table) || !set_verbatim(0x3400, 0x4DBF) ||
        !set_verbatim(0x4E00, 0x9FFF) || !set_verbatim(0xAC00, 0xD7A3) ||
        !set_verbatim(0x20000, 0x2EBE0) || !set_verbatim(0x30000, 0x323AF))
        return;
    for (size_t i = 0; i < sizeof folded / sizeof *folded; i++)
        for (uint32_t code = folded[i].first; code <= folded[i].last; code++)
            if (!set_folded(code))
                return;
    note_kana();
    ready = true;
}

bool word_table_ready(void)
{
    return pthread_once(&once, make_table) == 0 && ready;
}

const uint32_t *word_table_expansion(uint32_t entry, size_t *count)
{
    const uint32_t *expansion = expansions + (entry & WORD_CODE);
    *count = expansion[0];
    return expansion + 1;
}

uint32_t word_compose(uint32_t a, uint32_t b)
{
    if ((b == VOICED || b == SEMI_VOICED) && a >= KANA_FIRST && a <= KANA_LAST)
        return kana_composed[b == SEMI_VOICED][a - KANA_FIRST];
    /* Conjoining letters (The Unicode Standard, 3.12). */
    if (a >= 0x1100 && a < 0x1113 && b >= 0x1161 && b < 0x1176)
        return 0xAC00 + ((a - 0x1100) * 21 + (b - 0x1161)) * 28;
    if (a >= 0xAC00 && a <= 0xD7A3 && (a - 0xAC00) % 28 == 0 && b > 0x11A7 && b < 0x11C3)
        return a + (b - 0x11A7);
    return 0;
}
