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
 *   2. the other signs: step 1 says what the first ones come to, so only these are read;
 *   3. a second bit of every component, which makes levels of the signs: -1.5, -0.5, 0.5, 1.5;
 *   4. the residual in 8 bits, whose error is known well enough to say which rows cannot be
 * among the k nearest;
 *   5. 8 bits more of it, which give the score to CODE_ERROR. Vectors are not read: to find
 * one in the file takes longer.
 *
 * Differences from the paper: the query is rounded to 16 levels that lie evenly around 0,
 * without randomness, so that bits meet bits by XOR and no count of ones is needed; one centre
 * instead of one a cluster; signs of a prefix, which of a rotated vector is a random
 * projection; vectors short of CODE_LEAST_WIDTH components are filled up with zeros before they
 * are rotated, which gives them several bits a component.
 *
 * A row is in four places:
 *   - a block of CODE_ROWS rows, as bytes: byte 0 of each row, byte 1 of each row, ...
 *     (bit i of byte b: component 8 b + i is positive), then a word of each row, two bf16:
 *     c (x - c), rounded up, above (-infinity: no row, or no more), B below;
 *   - its rest: the words of signs behind the prefix, the word with these two once more,
 *     c (x - c) as f32, a word with the B of all signs in the upper half and that of the levels
 *     in the lower, and a word with the scale of the residual;
 *   - its lower bits: a level is the component's sign times 1, plus or minus 1/2;
 *   - its residual: `width` int8, times the scale, and `width` more, times 1/256 of it.
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
#define CODE_ERROR 1e-5f /* of scores of unit vectors */

/* How vectors become codes. Sizes in 32-bit words; blocks are multiples of 64 bytes. */
struct coder {
    struct rotation rotation;
    size_t dimension, width; /* of a vector, of what is rotated: in components */
    size_t prefix, planes; /* words of a row's part of a block, and of one bit of each level */
    size_t block, rest;    /* words of a block, and of a row's rest */
    float *centre;         /* [width], zeros behind `dimension` */
};

/* centre: [dimension], finite. False: out of memory. */
CHECKED bool coder_init(struct coder *coder, size_t dimension, const float *centre);
void coder_release(struct coder *coder);

/* The sizes alone: everything but rotation and centre. */
void coder_measure(struct coder *coder, size_t dimension);

/* Where the code of one row is. */
struct code_place {
    uint32_t *block;
    size_t row;             /* in the block */
    uint32_t *rest, *lower; /* [coder->rest], [coder->planes] */
    int8_t *residual;       /* [2 x width] */
};

/* vector: [dimension], finite. room: [width], 64-byte aligned. */
void code_row(const struct coder *coder, const float *vector, float *room,
              const struct code_place *place);

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
    float *rotated;                       /* [width] */
    uint8_t *tables;                      /* [prefix x CODE_TABLES]: see below */
    uint64_t *rows;                       /* [CODE_PLANES x planes / 2]: plane by plane */
    size_t width, prefix, planes, block;  /* as the coder's */
    float centre;                         /* q c: what is to be added to each score and bound */
    float step;                           /* of its levels */
    float base;                           /* see code_bound */
    float slack, signs_slack, fine_slack; /* of steps 1 to 3: what truth may be above, by B */
    float scatter; /* by a residual's scale: how far a score may be from the truth */
};

/* What four signs add to h (see code_bound), by the number that their bits make: of the first
 * four bits of each byte of a word, then of the other four, 16 each. A block's bytes are so
 * ordered that 16 rows meet one of these tables, which one instruction looks up (Andre,
 * Kermarrec, Le Scouarnec, "Cache locality is not enough", VLDB 2015). */
enum { CODE_NIBBLES = 16, CODE_TABLES = 8 * CODE_NIBBLES };

/* Words whose entries 16 bits can add up: 8 of at most 60 each. */
enum { CODE_WORDS_HOLD = 128 };

/* query: [dimension], finite. False: out of memory. */
CHECKED bool code_query_init(struct code_query *out, const struct coder *coder,
                             const float *query);
void code_query_release(struct code_query *query);

/* ---- Kernels, one version for each instruction set; all give the same bits ---- */

/* Bounds of step 1 are whole numbers: scores times this, rounded up, and cut to 16 bits. */
enum { CODE_BOUND_SCALE = 8192, CODE_BOUND_NONE = INT16_MIN };

/* Words of a row's rest, or its lower bits, beside those of the query. */
struct code_part {
    const uint32_t *codes; /* of row 0 */
    size_t stride;         /* words from row to row */
    size_t first, pairs;   /* of 64 bits: the query's first one, and how many */
};

struct code_kernels {
    /* The bounds of the rows of `count` blocks. bounds: [count x CODE_ROWS]. */
    void (*scan)(const struct code_query *query, const uint32_t *blocks, size_t count,
                 int16_t *bounds);
    /* The indices, plus `first`, of bounds that are `least` (above CODE_BOUND_NONE) or more,
     * ascending. count: a multiple of CODE_ROWS; rows: room for all. */
    size_t (*sift)(const int16_t *bounds, size_t count, int16_t least, uint32_t first,
                   uint32_t *rows);
    /* h (below) of a part of each of some rows' codes. h: [count]. */
    void (*differ)(const struct code_query *query, const struct code_part *part,
                   const uint32_t *rows, size_t count, uint32_t *h);
    /* sum of row[i] * vector[i], in the order of dot.h. n: a multiple of 64. */
    float (*dot)(const int8_t *row, const float *vector, size_t n);
};

extern const struct code_kernels code_kernels_scalar, code_kernels_avx2, code_kernels_avx512,
    code_kernels_neon;

/* The best that this machine has and RAG_CPU (base/cpu.h) allows. */
CHECKED rag_status code_kernels_choose(const struct code_kernels **out, rag_error *error);

/* The i-th version that this machine can run (0: the reference), NULL past the last. */
const struct code_kernels *code_kernels_version(size_t i);

enum { CODE_BATCH = 64 }; /* rows that steps 2 and 3 take at once, at most */

/* The bounds of step 2. rest: of row 0; whole: the bounds of step 1, of row 0 on. bounds, signs
 * (what step 3 needs): [count]. */
void code_bound_signs(const struct code_kernels *kernels, const struct code_query *query,
                      const uint32_t *rest, const int16_t *whole, const uint32_t *rows,
                      size_t count, float *bounds, float *signs);

/* The bounds of step 3. rest, lower: of row 0. */
void code_bound_levels(const struct code_kernels *kernels, const struct code_query *query,
                       const uint32_t *rest, const uint32_t *lower, const uint32_t *rows,
                       size_t count, const float *signs, float *bounds);

/* What 8 bits of a row's residual say of q x, less q c; the truth is at most *error away. What
 * damaged codes give may not be finite. */
float code_score(const struct code_kernels *kernels, const struct code_query *query,
                 const uint32_t *rest, const int8_t *residual, float *error);

/* What all bits of it say. */
float code_score_fine(const struct code_kernels *kernels, const struct code_query *query,
                      const uint32_t *rest, const int8_t *residual);

/* ---- Sums of vectors ---- */

/* To be zeroed first. */
struct code_sum {
    float *rotated; /* [width]: of what is left of vectors less the centre */
    double add;     /* of c (x - c) */
    size_t rows;
};

void code_sum_add(const struct coder *coder, const uint32_t *rest, const int8_t *residual,
                  struct code_sum *sum);

/* The cosine of the query with the sum; NaN if that is 0. */
double code_sum_cosine(const struct coder *coder, const struct code_query *query,
                       const struct code_sum *sum);

/* ---- For the kernels ---- */

static inline float code_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* h: the sum over planes of 2^j times the bits in which code and plane j of the query differ.
 * The sum of signs times the query's components is step (7.5 bits - h); base is what stays the
 * same of it, and what the truth may be above it. */
static inline float code_bound(float add, float factor, float base, float step, uint32_t h)
{
    return add + factor * (base - step * (float)h);
}

#endif
