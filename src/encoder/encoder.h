/* encoder.h - the transformer encoder and its heads: from token ids to vectors and scores.
 *
 * A batch is packed: its sequences stand end to end, without padding. What comes out for a
 * sequence depends on its ids and the model alone: the same bits whatever else is in the
 * batch and however many threads compute it.
 *
 * An encoder may be used by one thread at a time; inside it all its threads work. */
#ifndef RAG_ENCODER_ENCODER_H
#define RAG_ENCODER_ENCODER_H

#include "base/event.h"
#include "base/packed.h"
#include "model/checkpoint.h"
#include "model/config.h"

struct encoder;
struct magnitudes; /* magnitudes.h */

/* Packs the weights; the checkpoint must stay open as long as the encoder (the embedding
 * table is read from it row by row). precision: RAG_PRECISION_F32, _BF16 or _INT8; heads are
 * always computed in f32. threads 0: all cores. RAG_MODEL: a tensor is missing or has another
 * shape than the config says, or the model's shape does not allow the precision. */
CHECKED rag_status encoder_new(const struct model_config *config,
                               const struct checkpoint *checkpoint, rag_precision precision,
                               unsigned threads, struct encoder **out, rag_error *error);

/* For int8, with what magnitudes_measure found. */
CHECKED rag_status encoder_new_smoothed(const struct model_config *config,
                                        const struct checkpoint *checkpoint,
                                        const struct magnitudes *magnitudes, unsigned threads,
                                        struct encoder **out, rag_error *error);

/* Replaces products of an encoder in int8 by ones in bf16: the `count` with the greatest errors
 * (magnitudes.h, errors_measure). */
CHECKED rag_status encoder_raise(struct encoder *encoder, const struct checkpoint *checkpoint,
                                 const double *errors, size_t count, rag_error *error);
/* How many products of the layers there are, and how many of them are in bf16 beside int8. */
size_t encoder_products(const struct encoder *encoder);
size_t encoder_raised(const struct encoder *encoder);

/* From the matrices that encoder_store has put into a file, which must stay open too. */
CHECKED rag_status encoder_new_packed(const struct model_config *config,
                                      const struct checkpoint *checkpoint,
                                      const struct packed *packed, rag_precision precision,
                                      unsigned threads, struct encoder **out, rag_error *error);

/* Puts the packed matrices of an encoder in bf16 or int8 into a file: a section
 * "layer.N.qkv", ".out", ".up" and ".down" for each product (matmul_reduced.c). */
CHECKED rag_status encoder_store(const struct encoder *encoder, struct packed_writer *writer,
                                 rag_error *error);

void encoder_free(struct encoder *encoder);

/* Whether a precision is worth its packing on this machine, for a model of this shape: faster
 * than f32 by more than a trifle. int8 is with VNNI and AMX; with AVX2 alone it is as fast as
 * f32. */
CHECKED rag_status encoder_is_faster(const struct model_config *config, rag_precision precision,
                                     bool *faster, rag_error *error);

/* RAG_DENSE | RAG_SPARSE | RAG_MULTI | RAG_LOGIT, as the checkpoint has them. RAG_MULTI is
 * always there with RAG_DENSE: without a colbert_linear it is the last hidden state. */
unsigned encoder_heads(const struct encoder *encoder);
size_t encoder_multi_dimension(const struct encoder *encoder);

struct sequence {
    const int32_t *ids;   /* [count], special tokens included; each < vocabulary */
    const uint8_t *types; /* [count] token types, NULL: all 0 */
    size_t count;         /* 1 .. config.max_tokens */
};

/* Where results go; a NULL pointer means not wanted. n sequences, T tokens in all, in the
 * order given. */
struct encoder_output {
    float *pooled; /* [n x hidden] pooled, not normalised */
    float *multi;  /* [T x multi_dimension] token vectors, each of L2 norm 1 */
    float *sparse; /* [T] relu(sparse_linear(h)), per token */
    float *logits; /* [n] */
    float *hidden; /* [T x hidden] the last hidden state, for tests */
};

/* Sorts the sequences by length into packed batches of a token budget, runs them, puts the
 * results back in order. Progress has stage "embedding", unit "tokens", and comes after each
 * layer or every 0.2 s, and with the last token. RAG_INPUT: an id out of range or a sequence
 * too long; RAG_USAGE: a head that the model lacks; RAG_MODEL: a result is not a finite
 * number; RAG_INTERRUPTED; RAG_MEMORY. Messages count the sequences from 1 ("text 3"). What
 * stands in out after a failure means nothing. */
CHECKED rag_status encoder_run(struct encoder *encoder, const struct sequence *sequences,
                               size_t n, const struct encoder_output *out,
                               const struct events *events, rag_error *error);

#endif
