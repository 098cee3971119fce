/* usage.h - tokens and dollars of exchanges with a language model. */
#ifndef RAG_CHAT_USAGE_H
#define RAG_CHAT_USAGE_H

#include "rag.h"

/* About how many tokens a text is to a language model of today: one for each character of Han,
 * kana or Hangul, and one for each four bytes of anything else. A rough measure, for budgets.
 */
size_t usage_estimate(rag_text text);

/* Adds one exchange to a sum. */
void usage_add(rag_usage *total, const rag_usage *one);

#endif
