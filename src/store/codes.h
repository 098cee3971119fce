/* codes.h - vectors as bits: what dense search scans in their place.
 *
 * RaBitQ (Gao, Long, "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error
 * Bound for Approximate Nearest Neighbor Search", SIGMOD 2024), for inner products. A vector x
 * of unit length is seen from a centre c, the mean of a sample: the vectors of an embedding
 * model lie in a narrow cone, so most of x is c. Of the residual r = R(x - c), rotated by a
 * fixed random R, the code keeps a level v_i for each component. With the query q' = R(q - c)
 *
 *     q x  =  q c  +  c (x - c)  +  q' r        and       q' r  ~  B sum v_i q'_i
 *
 * where B = |r|^2 / sum v_i r_i makes the estimate unbiased: its error is the part of q' that
 * is orthogonal to r, as seen by v, and that looks like a normal variable, of standard
 * deviation B |q'| times what code_query knows. So an estimate comes with a bound that the
 * truth hardly ever exceeds, and only rows whose bound reaches the best found so far are looked
 * at closer:
 *
 *   1. the signs of the first `prefix` components, of all rows. A scan is limited by memory,
 * and 5/8 of the bits let few more rows through (docs/performance.md);
 *   2. the fine code: 2 bits of every component, in levels -1.5, -0.5, 0.5, 1.5;
 *   3. the residual in int8;
 *   4. the vector itself (dense.c).
 *
 * Differences from the paper: the query is rounded to 16 levels that lie evenly around 0,
 * without randomness, so that bits meet bits by XOR and no count of ones is needed; one centre
 * instead of one a cluster; signs of a prefix, which of a rotated vector is a random
 * projection; vectors short of CODE_LEAST_WIDTH components are filled up with zeros before they
 * are rotated, which gives them several bits a component.
 *
 * A row is in three places:
 *   - a block of CODE_ROWS rows, as 32-bit words: word 0 of each row, word 1 of each row, ...
 *     (bit i of word w: component 32 w + i is positive), then of each row two bf16: c (x - c),
 *     rounded up, in the upper half (-infinity: no row, or no more), B in the lower half;
 *   - its fine code: upper bits of the levels, lower bits of the levels, c (x - c) as f32, and
 *     two bf16: B of these levels in the upper half, the scale of its residual in the lower;
 *   - its residual: `width` int8, times the scale.
 * Words are in the order of the machine. */
#ifndef RAG_STORE_CODES_H
#define RAG_STORE_CODES_H

#include "store/rotation.h"

#include <stdint.h>
#include <string.h>

enum {
    CODE_ROWS = 16, /* of a block */
    CODE_LEAST_WIDTH = 256,
    CODE_PLANES = 4, /* bits of a component of the query */
};

/* How vectors become codes. Sizes in 32-bit words; fine codes and blocks are multiples of 64
 * bytes. */
struct coder {
    struct rotation rotation;
    size_t dimension, width; /* of a vector, of what is rotated: in components */
    size_t prefix, planes;   /* of a row's part of a block, and of half of its levels */
    size_t block, fine;      /* of a block, and of a fine code */
    float *centre;           /* [width], zeros behind `dimension` */
};

/* centre: [dimension], finite. False: out of memory. */
CHECKED bool coder_init(struct coder *coder, size_t dimension, const float *centre);
void coder_release(struct coder *coder);

/* The sizes alone: everything but rotation and centre. */
void coder_measure(struct coder *coder, size_t dimension);

/* Writes a row's place in its block, its fine code and its residual. vector: [dimension],
 * finite. room: [width], 64-byte aligned. */
void code_row(const struct coder *coder, const float *vector, float *room, uint32_t *block,
              size_t row, uint32_t *fine, int8_t *residual);

/* A block without rows, and a row that is taken out of its block. */
void code_block_clear(const struct coder *coder, uint32_t *block);
void code_row_clear(const struct coder *coder, uint32_t *block, size_t row);

/* A row's word of a block that tells whether it is there, and its value if it is not. */
#define CODE_NO_ROW 0xff800000u
static inline size_t code_row_mark(const struct coder *coder, size_t row)
{
    return coder->prefix * CODE_ROWS + row;
}

/* ---- The query ---- */

struct code_query {
    float *rotated;  /* [width] */
    uint32_t *words; /* [planes x CODE_PLANES]: word by word, a plane after the other */
    uint64_t *rows;  /* [CODE_PLANES x planes / 2]: plane by plane */
    size_t width, prefix, planes, block; /* as the coder's */
    float centre;                        /* q c: what is to be added to each score and bound */
    float step;                          /* of its levels */
    float base, fine_base;               /* see code_bound */
};

/* query: [dimension], finite. False: out of memory. */
CHECKED bool code_query_init(struct code_query *out, const struct coder *coder,
                             const float *query);
void code_query_release(struct code_query *query);

/* ---- Kernels, one version for each instruction set; all give the same bits ---- */

/* Bounds of step 1 are whole numbers: scores times this, rounded up, and cut to 16 bits. */
enum { CODE_BOUND_SCALE = 8192, CODE_BOUND_NONE = INT16_MIN };

struct code_kernels {
    /* The bounds of the rows of `count` blocks. bounds: [count x CODE_ROWS]. */
    void (*scan)(const struct code_query *query, const uint32_t *blocks, size_t count,
                 int16_t *bounds);
    /* The indices, plus `first`, of bounds that are `least` (above CODE_BOUND_NONE) or more,
     * ascending. count: a multiple of CODE_ROWS; rows: room for all. */
    size_t (*sift)(const int16_t *bounds, size_t count, int16_t least, uint32_t first,
                   uint32_t *rows);
    /* The bound that a fine code gives. */
    float (*fine)(const struct code_query *query, const uint32_t *fine);
    /* sum of row[i] * vector[i], in the order of dot.h. n: a multiple of 64. */
    float (*dot)(const int8_t *row, const float *vector, size_t n);
};

extern const struct code_kernels code_kernels_scalar, code_kernels_avx2, code_kernels_avx512,
    code_kernels_neon;

/* The best that this machine has and RAG_CPU (base/cpu.h) allows. */
CHECKED rag_status code_kernels_choose(const struct code_kernels **out, rag_error *error);

/* The i-th version that this machine can run (0: the reference), NULL past the last. */
const struct code_kernels *code_kernels_version(size_t i);

/* What a row's residual says of q x, less q c. */
float code_score(const struct code_kernels *kernels, const struct code_query *query,
                 const uint32_t *fine, const int8_t *residual);

/* ---- For the kernels ---- */

static inline float code_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* h: the sum over planes of 2^j times the bits in which code and plane j of the query differ.
 * The sum of levels times the query's is step (7.5 bits - h); base is what stays the same of
 * it, and what the truth may be above it. */
static inline float code_bound(float add, float factor, float base, float step, uint32_t h)
{
    return add + factor * (base - step * (float)h);
}

#endif
