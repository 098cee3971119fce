#include "store/codes.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "store/dot.h"

#include <math.h>
#include <string.h>

/* How far above its estimate a bound lies, in standard deviations. Measured recall@10
 * with 2.25, 2.6 and 2.75 for the first: 0.9970, 0.9995, 0.9992 of a million clustered vectors
 * of 384 dimensions (200 questions, else 500), 0.9976, 0.9992, 0.9998 of 100,000 of 1,024. The
 * second is cheap to have. */
#define SLACK      2.6f
#define FINE_SLACK 3.0f

/* For a normal variable in four levels: the best step between them, in standard deviations, and
 * what part of the variance is lost (Max, "Quantizing for minimum distortion", 1960). */
#define LEVEL_STEP 0.9957f
#define LEVEL_LOSS 0.1188f

static size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

void coder_measure(struct coder *coder, size_t dimension)
{
    size_t width = round_up(dimension, DOT_BLOCK);
    if (width < CODE_LEAST_WIDTH)
        width = CODE_LEAST_WIDTH;
    size_t prefix = round_up(width * 5 / 8, 64);
    if (prefix < CODE_LEAST_WIDTH)
        prefix = CODE_LEAST_WIDTH;
    *coder = (struct coder){.dimension = dimension,
                            .width = width,
                            .prefix = prefix / 32,
                            .planes = width / 32,
                            .block = (prefix / 32 + 1) * CODE_ROWS,
                            .fine = round_up(2 * width / 32 + 2, 16)};
}

bool coder_init(struct coder *coder, size_t dimension, const float *centre)
{
    coder_measure(coder, dimension);
    coder->centre = alloc_aligned(coder->width, sizeof(float));
    if (!coder->centre || !rotation_init(&coder->rotation, coder->width)) {
        coder_release(coder);
        return false;
    }
    memset(coder->centre, 0, coder->width * sizeof(float));
    memcpy(coder->centre, centre, dimension * sizeof(float));
    return true;
}

void coder_release(struct coder *coder)
{
    rotation_release(&coder->rotation);
    free(coder->centre);
    *coder = (struct coder){0};
}

static uint32_t float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The nearest bf16 and the next one above, in the lower half. x is finite and far from the
 * greatest. */
static uint32_t bf16_nearest(float x)
{
    uint32_t bits = float_bits(x);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static uint32_t bf16_above(float x)
{
    uint32_t bits = float_bits(x);
    return (x > 0 ? bits + 0xffff : bits) >> 16;
}

/* room = R(vector - centre); returns c (vector - centre). */
static float residual_of(const struct coder *coder, const float *vector, float *room)
{
    for (size_t i = 0; i < coder->dimension; i++)
        room[i] = vector[i] - coder->centre[i];
    memset(room + coder->dimension, 0, (coder->width - coder->dimension) * sizeof *room);
    float product = dot_best()(coder->centre, room, coder->width);
    rotation_apply(&coder->rotation, room);
    return product;
}

/* The sum and the greatest of the components' sizes. */
static float sum_of_sizes(const float *x, size_t n, float *greatest)
{
    float sums[DOT_BLOCK] = {0}, most[DOT_BLOCK] = {0};
    for (size_t i = 0; i < n; i += DOT_BLOCK)
        for (size_t j = 0; j < DOT_BLOCK; j++) {
            float size = fabsf(x[i + j]);
            sums[j] += size;
            most[j] = size > most[j] ? size : most[j];
        }
    for (size_t half = DOT_BLOCK / 2; half; half /= 2)
        for (size_t j = 0; j < half; j++) {
            sums[j] += sums[j + half];
            most[j] = most[j + half] > most[j] ? most[j + half] : most[j];
        }
    *greatest = most[0];
    return sums[0];
}

/* B: what makes an estimate unbiased; levels: sum v_i r_i. */
static uint32_t factor_of(float square, float levels)
{
    return levels > 0 ? bf16_nearest(square / levels) : 0;
}

static void write_signs(const struct coder *coder, const float *residual, uint32_t *block,
                        size_t row)
{
    for (size_t w = 0; w < coder->prefix; w++) {
        uint32_t word = 0;
        for (size_t i = 0; i < 32; i++)
            word |= (uint32_t)(residual[32 * w + i] > 0) << i;
        block[w * CODE_ROWS + row] = word;
    }
}

/* Writes the bits of the levels; room becomes |v_i| |r_i|. */
static void write_levels(const struct coder *coder, float *room, float step, uint32_t *fine)
{
    for (size_t w = 0; w < coder->planes; w++) {
        uint32_t upper = 0, lower = 0;
        for (size_t i = 0; i < 32; i++) {
            float x = room[32 * w + i], size = fabsf(x);
            bool positive = x > 0, far = size > step;
            upper |= (uint32_t)positive << i;
            lower |= (uint32_t)(positive == far) << i;
            room[32 * w + i] = size * (far ? 1.5f : 0.5f);
        }
        fine[w] = upper;
        fine[coder->planes + w] = lower;
    }
}

static void write_residual(const float *room, size_t width, uint32_t scale, int8_t *residual)
{
    float inverse = scale ? 1 / code_float(scale << 16) : 0;
    for (size_t i = 0; i < width; i++)
        residual[i] = (int8_t)(int)rintf(room[i] * inverse);
}

void code_row(const struct coder *coder, const float *vector, float *room, uint32_t *block,
              size_t row, uint32_t *fine, int8_t *residual)
{
    size_t width = coder->width;
    float greatest, ignored;
    float add = residual_of(coder, vector, room);
    float square = dot_best()(room, room, width);
    (void)sum_of_sizes(room, width, &greatest);
    float prefix = sum_of_sizes(room, 32 * coder->prefix, &ignored);
    write_signs(coder, room, block, row);
    block[code_row_mark(coder, row)] = bf16_above(add) << 16 | factor_of(square, prefix);

    uint32_t scale = bf16_above(greatest / 127);
    write_residual(room, width, scale, residual);

    write_levels(coder, room, LEVEL_STEP * sqrtf(square / (float)width), fine);
    float levels = sum_of_sizes(room, width, &ignored);
    uint32_t *factors = fine + 2 * coder->planes;
    memset(factors, 0, (coder->fine - 2 * coder->planes) * sizeof *factors);
    factors[0] = float_bits(add);
    factors[1] = factor_of(square, levels) << 16 | scale;
}

void code_row_clear(const struct coder *coder, uint32_t *block, size_t row)
{
    block[code_row_mark(coder, row)] = CODE_NO_ROW;
}

void code_block_clear(const struct coder *coder, uint32_t *block)
{
    memset(block, 0, coder->block * sizeof *block);
    for (size_t row = 0; row < CODE_ROWS; row++)
        code_row_clear(coder, block, row);
}

/* ---- The query ---- */

/* The levels around 0 that the components are rounded to, as bits: level n is worth
 * (n - 7.5) steps. */
static void round_query(struct code_query *query)
{
    enum { LEVELS = 1 << CODE_PLANES };
    float inverse = query->step > 0 ? 1 / query->step : 0;
    memset(query->words, 0, query->planes * CODE_PLANES * sizeof *query->words);
    memset(query->rows, 0, query->planes / 2 * CODE_PLANES * sizeof *query->rows);
    for (size_t i = 0; i < query->width; i++) {
        float place = floorf(query->rotated[i] * inverse) + LEVELS / 2;
        unsigned level = place < 0 ? 0 : place > LEVELS - 1 ? LEVELS - 1 : (unsigned)place;
        for (size_t j = 0; j < CODE_PLANES; j++) {
            uint32_t bit = level >> j & 1;
            query->words[i / 32 * CODE_PLANES + j] |= bit << i % 32;
            query->rows[j * query->planes / 2 + i / 64] |= (uint64_t)bit << i % 64;
        }
    }
}

/* What the truth may be above the estimates. The signs of a prefix have length sqrt(bits), of
 * which r sees sqrt(2 / pi) bits / sqrt(width); the rest of it meets q' like a random
 * direction. Levels are that of 1 - LEVEL_LOSS of the variance. Rounding the query adds its
 * own. */
static void set_bounds(struct code_query *query)
{
    float bits = 32 * (float)query->prefix, width = (float)query->width;
    float square = dot_best()(query->rotated, query->rotated, query->width);
    float rounding = query->step * query->step / 12;
    float rest = bits - 0.63661977f * bits * bits / width;
    float deviation = sqrtf(square * rest / width + bits * rounding);
    query->base = query->step * 7.5f * bits + SLACK * deviation;

    float kept = (1 - LEVEL_LOSS) / (LEVEL_STEP * LEVEL_STEP);
    deviation = sqrtf(square * kept * LEVEL_LOSS + width * kept * rounding);
    query->fine_base = query->step * 11.25f * width + FINE_SLACK * deviation;
}

bool code_query_init(struct code_query *out, const struct coder *coder, const float *query)
{
    *out = (struct code_query){
        .rotated = alloc_aligned(coder->width, sizeof(float)),
        .words = alloc_aligned(coder->planes * CODE_PLANES, sizeof(uint32_t)),
        .rows = alloc_aligned(coder->planes * CODE_PLANES / 2, sizeof(uint64_t)),
        .width = coder->width,
        .prefix = coder->prefix,
        .planes = coder->planes,
        .block = coder->block,
    };
    if (!out->rotated || !out->words || !out->rows) {
        code_query_release(out);
        return false;
    }
    float greatest;
    float centre = dot_best()(coder->centre, coder->centre, coder->width);
    out->centre = residual_of(coder, query, out->rotated) + centre;
    (void)sum_of_sizes(out->rotated, coder->width, &greatest);
    out->step = greatest / (1 << (CODE_PLANES - 1));
    round_query(out);
    set_bounds(out);
    return true;
}

void code_query_release(struct code_query *query)
{
    free(query->rotated);
    free(query->words);
    free(query->rows);
    *query = (struct code_query){0};
}

float code_score(const struct code_kernels *kernels, const struct code_query *query,
                 const uint32_t *fine, const int8_t *residual)
{
    const uint32_t *factors = fine + 2 * query->planes;
    float product = kernels->dot(residual, query->rotated, query->width);
    return code_float(factors[0]) + code_float(factors[1] << 16) * product;
}

/* ---- Which kernels ---- */

#if defined(__x86_64__)
static bool counts_bits(void)
{
    return cpu_has(CPU_AVX512) && __builtin_cpu_supports("avx512vpopcntdq");
}
#endif

const struct code_kernels *code_kernels_version(size_t i)
{
    const struct code_kernels *versions[3] = {&code_kernels_scalar};
    size_t count = 1;
#if defined(__x86_64__)
    if (cpu_has(CPU_AVX2))
        versions[count++] = &code_kernels_avx2;
    if (counts_bits())
        versions[count++] = &code_kernels_avx512;
#elif defined(__aarch64__)
    versions[count++] = &code_kernels_neon;
#endif
    return i < count ? versions[i] : NULL;
}

rag_status code_kernels_choose(const struct code_kernels **out, rag_error *error)
{
    enum cpu_level level;
    rag_status status = cpu_choose(&level, error);
    *out = &code_kernels_scalar;
#if defined(__x86_64__)
    if (!status && level >= CPU_AVX512 && counts_bits())
        *out = &code_kernels_avx512;
    else if (!status && level >= CPU_AVX2)
        *out = &code_kernels_avx2;
#elif defined(__aarch64__)
    if (!status && level >= CPU_NEON)
        *out = &code_kernels_neon;
#endif
    return status;
}
