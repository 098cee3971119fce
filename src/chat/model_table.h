/* model_table.h - context sizes and prices of the preset providers' models.
 *
 * The table (model_table.inc) is a collection of published facts as of its making, and grows
 * old: the file of providers overrides it, and cost is shown as an estimate. */
#ifndef RAG_CHAT_MODEL_TABLE_H
#define RAG_CHAT_MODEL_TABLE_H

#include "chat/provider_set.h"

/* The model of this name, or else the longest name that begins it and is followed by a version
 * alone: "gpt-4o-mini-2024-07-18" is as "gpt-4o-mini", but "gpt-4o-audio" is no "gpt-4o".
 * MODEL_FACTS_NONE: not known. */
struct model_facts model_table_find(const char *provider, const char *model);

#endif
