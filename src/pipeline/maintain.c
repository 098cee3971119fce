/* maintain.c - keeping an index sound and small. */
#include "base/clock.h"
#include "pipeline/pipeline.h"

rag_status rag_index_verify(rag_index *index, const rag_verify_options *options,
                            rag_error *error)
{
    static const rag_verify_options defaults = RAG_VERIFY_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    struct events events = {options->on_event, options->user};
    pthread_mutex_lock(&index->lock);
    status = index_look(index, error);
    if (!status && index->store)
        status = store_verify(index->store, options->on_problem, options->user, &events, error);
    pthread_mutex_unlock(&index->lock);
    return status;
}

rag_status rag_index_compact(rag_index *index, const rag_compact_options *options,
                             rag_compact_report *report, rag_error *error)
{
    static const rag_compact_options defaults = RAG_COMPACT_OPTIONS_INIT;
    rag_compact_report own;
    if (!options)
        options = &defaults;
    if (!report)
        report = &own;
    *report = (rag_compact_report){0};
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    struct events events = {options->on_event, options->user};
    struct store_compaction compaction = {0};
    double start = clock_seconds();
    pthread_mutex_lock(&index->lock);
    status = index_look(index, error);
    if (!status && index->store)
        status = store_compact(index->store, &events, &compaction, error);
    pthread_mutex_unlock(&index->lock);
    *report = (rag_compact_report){.bytes_before = compaction.bytes_before,
                                   .bytes_after = compaction.bytes_after,
                                   .seconds = clock_seconds() - start};
    return status;
}
