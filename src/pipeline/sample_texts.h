/* sample_texts.h - texts on which a model is seen at work before it is packed: many languages,
 * code, formulas, lists, from a word to a paragraph. Half of them tell how great the inputs of
 * its products are, the other half how well a reduced precision agrees with f32. */
#ifndef RAG_PIPELINE_SAMPLE_TEXTS_H
#define RAG_PIPELINE_SAMPLE_TEXTS_H

#include <stddef.h>

struct sample_texts {
    const char *const *texts;
    size_t count;
};

struct sample_texts sample_texts_to_measure(void);
struct sample_texts sample_texts_to_compare(void);

#endif
