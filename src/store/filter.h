/* filter.h - which documents a search may find, and so which chunks.
 *
 * A filter is evaluated on the documents' rows, which are few and small beside the chunks; what
 * comes out is a short list of ranges of chunk ids, for a document's ids have no gaps. Each leg
 * of a search looks at the chunks within these and at no others: the k best of them are found
 * however few they are. */
#ifndef RAG_STORE_FILTER_H
#define RAG_STORE_FILTER_H

#include "store/store.h"
#include "text/glob.h"

enum { FILTER_MAX_ITEMS = 256 /* of each kind */ };

enum comparison { EQUAL, NOT_EQUAL, LESS, AT_MOST, GREATER, AT_LEAST };

/* Something that a document's metadata must say. */
struct condition {
    char *key;
    enum comparison comparison;
    char *value;
    double number; /* the value as a number */
    bool is_number;
};

/* A document passes if it is of one of the collections, its path fits one of the patterns, its
 * format is one of the formats (none given: any), it was modified within the times, and all
 * conditions hold. */
struct store_filter {
    const char *const *collections, *const *formats; /* borrowed */
    struct glob *globs;
    struct condition *conditions;
    size_t collection_count, format_count, glob_count, condition_count;
    int64_t since, until; /* nanoseconds since 1970, both inclusive */
};

/* Reads a caller's filter, whose strings must outlive it. *out is to be released also on
 * failure. RAG_USAGE says what is wrong with which part. */
CHECKED rag_status filter_parse(const rag_filter *filter, struct store_filter *out,
                                rag_error *error);
void filter_release(struct store_filter *filter);

/* Whether everything passes. */
bool filter_is_empty(const rag_filter *filter);

/* Whether a document's metadata, a JSON object, meet all conditions. */
CHECKED rag_status filter_metadata(const struct store_filter *filter, rag_text metadata,
                                   bool *passes, rag_error *error);

/* The chunks of the documents that pass. */
CHECKED rag_status store_filter(struct store *store, const struct store_filter *filter,
                                struct id_ranges *out, rag_error *error);

#endif
