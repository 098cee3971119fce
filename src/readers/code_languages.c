/* The languages, by how they define things. */
#include "readers/code.h"

#include <string.h>

static const struct language languages[] = {
    {"c cpp", "//", "/**/", "\"'", "struct union enum class namespace concept",
     "static inline extern const typedef template constexpr virtual explicit friend unsigned "
     "signed volatile register",
     true, true, false},
    {"java csharp kotlin scala dart swift", "//", "/**/", "\"'",
     "class interface enum record struct namespace fun func object trait def extension "
     "protocol "
     "actor mixin delegate init deinit",
     "public private protected internal static final abstract sealed override open data case "
     "partial async virtual readonly synchronized native default export lazy implicit inline "
     "suspend operator infix tailrec inner companion fileprivate mutating convenience required "
     "unsafe extern factory external new const ref",
     true, true, false},
    {"javascript typescript", "//", "/**/", "\"'`",
     "class function interface enum namespace module type",
     "export default async declare abstract static public private protected readonly const let "
     "var function*",
     true, true, false},
    {"go", "//", "/**/", "\"'`", "func type", "", true, false, false},
    {"rust", "//", "/**/", "\"", "fn struct enum trait impl mod union macro_rules!",
     "pub pub(crate) pub(super) async unsafe const extern default", true, false, false},
    {"php", "// #", "/**/", "\"'", "class function interface trait namespace enum",
     "public private protected static final abstract readonly", true, false, false},
    {"perl", "#", NULL, "\"'", "sub package", "", true, false, false},
    {"shell", "#", NULL, "\"'`", "function", "", true, true, false},
    {"r", "#", NULL, "\"'", "", "", true, false, false},
    {"python", "#", NULL, "\"'", "def class", "async", false, false, true},
    {"ruby", "#", NULL, "\"'", "def class module", "private protected public", false, false,
     false},
    {"julia", "#", "#==#", "\"", "function struct module macro abstract", "mutable baremodule",
     false, false, true},
    {"lua", "--", NULL, "\"'", "function", "local", false, false, false},
    {"haskell", "--", "{--}", "\"", "data newtype class instance type module", "", false, false,
     false},
    {"sql", "--", "/**/", "'", "TABLE VIEW FUNCTION PROCEDURE TRIGGER INDEX TYPE SCHEMA",
     "CREATE OR REPLACE TEMPORARY TEMP UNIQUE MATERIALIZED create or replace temporary temp "
     "unique materialized",
     false, false, false},
};

bool language_lists(const char *words, const char *word, size_t size)
{
    for (const char *at = words; *at;) {
        size_t n = strcspn(at, " ");
        if (n == size && memcmp(at, word, n) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

const struct language *language_of(const char *format)
{
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        if (language_lists(languages[i].formats, format, strlen(format)))
            return &languages[i];
    return NULL;
}
