/* parts.h - what an encoder is made of; for the files of this folder.
 *
 *   weights.c   weights by name out of the checkpoint, packed
 *   batches.c   sequences into batches, batches onto threads
 *   forward.c   a batch through the layers
 *   heads.c     what is wanted of the last hidden state
 *   magnitudes.c, agreement.c   what reduced precisions are packed and judged by
 *
 * D = hidden, F = feed_forward, T = tokens of a batch, n = its sequences. */
#ifndef RAG_ENCODER_PARTS_H
#define RAG_ENCODER_PARTS_H

#include "encoder/encoder.h"
#include "encoder/matmul.h"

#include <stdatomic.h>

struct norm {
    float *scale, *shift; /* [D] */
};

/* The products of a layer, in their order: queries, keys and values [3D x D]; what attention
 * gives [D x D]; the feed-forward, up [F x D] and down [D x F]. */
enum { QKV, OUT, UP, DOWN, PRODUCTS };

struct layer {
    struct matmul *products[PRODUCTS];
    struct norm attention_norm, output_norm;
};

/* logit = w . tanh(dense(h of the first token)) + bias: XLM-RoBERTa's classifier.dense and
 * .out_proj, BERT's pooler.dense and classifier. */
struct classifier {
    struct matmul *dense; /* [D x D], NULL: there is none */
    float *weights;       /* [D] */
    float bias;
};

/* Buffers of a batch on its way, rows rounded up to MATMUL_STEP. */
struct activations {
    size_t rows;    /* room */
    float *hidden;  /* [rows x D] what a layer takes and gives */
    float *context; /* [rows x D] what attention gives */
    float *sum;     /* [rows x D] what a half of a layer adds */
    float *wide;    /* [rows x max(3D, F, multi)] queries, keys, values; inside of the FFN; as
                       bf16 with `half` */
    char *operand;  /* [rows x matmul_operand_bytes] what the next product takes */
};

/* What one thread needs. The first one's thread is that of the caller. */
struct worker {
    float *attention; /* scratch */
    size_t attention_size;
    struct activations activations;
};

struct encoder {
    struct model_config config;
    rag_precision precision; /* F32, BF16 or INT8 */
    const struct kernels *kernels;
    const struct tile_kernels *tiles;
    bool half;                  /* wide is bf16, and so is attention */
    bool int8_scores;           /* but for Q K^T */
    struct matmul_maker maker;  /* of the layers' products */
    struct matmul_maker higher; /* bf16, for those that int8 is too coarse for */
    struct matmul_maker heads;  /* f32 */
    const struct tensor *words, *positions, *types; /* embeddings, in the checkpoint */
    struct norm embedding_norm;
    struct layer *layers;
    struct classifier classifier;
    float *sparse; /* [D], NULL: no such head */
    float sparse_bias;
    struct matmul *multi; /* colbert_linear, NULL: none */
    size_t threads;
    struct worker *workers;        /* [threads] */
    struct magnitudes *magnitudes; /* NULL, or where a run notes what products take, */
    double *errors;                /* and how much int8 loses of it, */
    float *errors_row;             /* [F] with room for a row */
};

/* The i-th product of all layers: of layer i / PRODUCTS. */
struct matmul **encoder_product(const struct encoder *encoder, size_t i);

/* Bytes of the greatest operand of any product. */
size_t encoder_operand_bytes(const struct encoder *encoder);

/* Where the layers' matrices come from: a packed file, or the checkpoint, packed now. */
struct encoder_weights {
    const struct packed *packed;
    const struct magnitudes *magnitudes; /* NULL: not known */
};

CHECKED rag_status encoder_load(struct encoder *encoder, const struct checkpoint *checkpoint,
                                const struct encoder_weights *weights, rag_error *error);
void encoder_unload(struct encoder *encoder);

/* A sequence in a batch. */
struct item {
    size_t index; /* of the sequence, in the caller's order */
    size_t row;   /* of its first token in the batch */
};

/* What the batches of one encoder_run share. */
struct run {
    struct encoder *encoder;
    const struct sequence *sequences;
    size_t count;
    const struct encoder_output *out;
    const size_t *offsets; /* [count] first row of each sequence in out's [T x ..] */
    const struct events *events;
    size_t total;            /* tokens */
    size_t reported;         /* of them, to the caller */
    atomic_size_t done;      /* tokens times layers */
    atomic_size_t waiting;   /* threads that have no batch left */
    atomic_bool interrupted; /* the caller asked to stop */
    atomic_bool failed;      /* not_finite is set, by critical */
    size_t not_finite;       /* the first sequence with such a result; count: none */
};

/* A batch on its way through the layers, and the team of threads that works on it. */
struct pass {
    struct run *run;
    const struct item *items;
    size_t count, tokens;
    struct worker *workers; /* of the team's threads */
    size_t rows;            /* of activations: T, or n once only first tokens are left */
    bool stop;
};

/* Progress, from the caller's thread. True: the caller asks to stop. */
CHECKED bool run_report(struct run *run, size_t done);

/* By all threads of the team; workers have room (worker_reserve). */
void pass_forward(struct pass *pass);
void pass_heads(struct pass *pass);

/* Row i for a product, and then the product: shares out y [rows x outputs] = x W^T + bias among
 * the team. */
void pass_give(struct pass *pass, const struct matmul *matmul, const float *x, size_t i);
void pass_linear(struct pass *pass, const struct matmul *matmul, void *y, enum tile_form form);

CHECKED rag_status worker_reserve(const struct encoder *encoder, struct worker *worker,
                                  size_t rows, size_t longest, rag_error *error);
void worker_release(struct worker *worker);
/* Gives the buffers of batches back: they will be made anew. */
void worker_shrink(struct worker *worker);

#endif
