/* add.h - bringing an index up to date with files: what rag_index_add and rag_index_watch
 * share. */
#ifndef RAG_PIPELINE_ADD_H
#define RAG_PIPELINE_ADD_H

#include "documents/walk.h"
#include "pipeline/jobs.h"

/* Brings the index up to date with what is at and below the absolute paths, or with what of it
 * lies within hooks->within, whose paths are at or below those. The run has its index, whose
 * lock is held, events, on_change and report. */
CHECKED rag_status add_files(struct run *run, const struct file_list *paths,
                             const struct walk_hooks *hooks, rag_error *error);

#endif
