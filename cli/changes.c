/* changes.c - what became of documents: reports, and changes one by one. */
#include "cli.h"

#include <stdio.h>

const char *change_name(rag_change_kind kind)
{
    switch (kind) {
    case RAG_ADDED:
        return "added";
    case RAG_UPDATED:
        return "updated";
    case RAG_RENAMED:
        return "renamed";
    case RAG_REMOVED:
        return "removed";
    case RAG_PARTIAL:
        return "partial";
    default:
        return "skipped";
    }
}

json_t *json_of_change(const rag_change *change)
{
    json_t *object =
        json_pack("{s:s, s:o, s:o}", "change", change_name(change->kind), "document",
                  json_string_of(change->path), "reason", json_string_of(change->reason));
    if (object && change->from)
        json_object_set_new(object, "from", json_string_of(change->from));
    if (object && (change->kind == RAG_ADDED || change->kind == RAG_UPDATED)) {
        json_object_set_new(object, "chunks", json_integer((json_int_t)change->chunks));
        json_object_set_new(object, "chunks_embedded",
                            json_integer((json_int_t)change->chunks_embedded));
        json_object_set_new(object, "tokens", json_integer((json_int_t)change->tokens));
    }
    return object;
}

static void append(json_t **array, json_t *object, struct change_list *list)
{
    if (!*array)
        *array = json_array();
    if (json_array_append_new(*array, object) != 0)
        list->failed = true;
}

void change_list_take(struct change_list *list, const rag_change *change)
{
    if (list->changes)
        append(&list->changes, json_of_change(change), list);
    if (change->kind == RAG_SKIPPED || change->kind == RAG_PARTIAL)
        append(change->kind == RAG_SKIPPED ? &list->skipped : &list->partial,
               json_pack("{s:o, s:o}", "path", json_string_of(change->path), "reason",
                         json_string_of(change->reason)),
               list);
}

void change_list_release(struct change_list *list)
{
    json_decref(list->skipped);
    json_decref(list->partial);
    json_decref(list->changes);
    *list = (struct change_list){0};
}

void print_add_report(const rag_add_report *report)
{
    printf("%zu added, %zu updated, %zu renamed, %zu unchanged, %zu removed, %zu skipped\n",
           report->added, report->updated, report->renamed, report->unchanged, report->removed,
           report->skipped);
    if (report->warnings)
        printf("%zu part%s of documents could not be read\n", report->warnings,
               report->warnings == 1 ? "" : "s");
}

json_t *json_of_report(const rag_add_report *report)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "added",
        (json_int_t)report->added, "updated", (json_int_t)report->updated, "renamed",
        (json_int_t)report->renamed, "unchanged", (json_int_t)report->unchanged, "removed",
        (json_int_t)report->removed, "skipped", (json_int_t)report->skipped, "warnings",
        (json_int_t)report->warnings, "chunks", (json_int_t)report->chunks, "chunks_embedded",
        (json_int_t)report->chunks_embedded, "tokens", (json_int_t)report->tokens, "seconds",
        report->seconds, "tokens_per_second", report->tokens_per_second);
}
