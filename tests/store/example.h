/* example.h - the index under tests/data/store: what is in it. The files stay as the version
 * that their names say made them. */
#ifndef RAG_TESTS_STORE_EXAMPLE_H
#define RAG_TESTS_STORE_EXAMPLE_H

static const struct example {
    const char *collection, *path, *text, *metadata;
    unsigned seed; /* of the vector of its first line, unit_vector() */
} examples[] = {
    {"default", "/notes/tea.txt",
     "Green tea is brewed at eighty degrees.\nBlack tea wants boiling water.\n",
     "{\"year\": 2024, \"tags\": [\"tea\", \"kitchen\"]}", 1},
    {"default", "/notes/bread.md", "Rye bread rises slowly.\nKnead it for ten minutes.\n", "{}",
     11},
    {"\xe8\x8c\xb6", "/notes/tea.txt",
     "\xe7\xbb\xbf\xe8\x8c\xb6\xe7\x94\xa8\xe5\x85\xab\xe5\x8d\x81\xe5\xba\xa6\xe7\x9a\x84\xe6"
     "\xb0\xb4\xe3\x80\x82\n",
     "{\"year\": 2026}", 21},
};
enum { EXAMPLES = sizeof examples / sizeof *examples };

#endif
