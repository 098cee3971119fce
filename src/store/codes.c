#include "store/codes.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "store/dot.h"

#include <math.h>
#include <string.h>

/* How far above its estimate a bound lies, in standard deviations, in steps 1 to 3. Measured
 * recall@10 with 2.7, 2.8 and 3.0 for the first: 0.9988, 0.9991, 0.9995 of a million clustered
 * vectors of 384 dimensions (1,000 questions), 0.9989, 0.9991, 0.9995 of 100,000 of 1,024
 * (4,000). The others are cheap to have. */
#define SLACK       3.0f
#define SIGNS_SLACK 3.5f
#define FINE_SLACK  3.5f

/* How far a score by a residual may be from the truth, in standard deviations of what rounding
 * does to it, and what comes to that by rounding in between. */
#define SCATTER       4.0f
#define SCATTER_LEAST 2e-6f

/* For a normal variable in four levels: the best step between them, in standard deviations, and
 * what part of the variance is lost (Max, "Quantizing for minimum distortion", 1960). */
#define LEVEL_STEP 0.9957f
#define LEVEL_LOSS 0.1188f

/* Words of a row's rest, behind the signs. */
enum { PAIR, ADD, FACTORS, SCALE, FACTOR_WORDS };

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
                            .rest = (width - prefix) / 32 + FACTOR_WORDS};
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

/* The signs of up to 32 components, as bits. */
static uint32_t signs_of(const float *x, size_t count)
{
    uint32_t word = 0;
    for (size_t i = 0; i < count; i++)
        word |= (uint32_t)(x[i] > 0) << i;
    return word;
}

static void write_signs(const struct coder *coder, const float *residual,
                        const struct code_place *place)
{
    uint8_t *bytes = (uint8_t *)place->block + place->row;
    for (size_t b = 0; b < 4 * coder->prefix; b++)
        bytes[b * CODE_ROWS] = (uint8_t)signs_of(residual + 8 * b, 8);
    for (size_t w = coder->prefix; w < coder->planes; w++)
        place->rest[w - coder->prefix] = signs_of(residual + 32 * w, 32);
}

/* Writes the lower bits of the levels; room becomes |v_i| |r_i|. */
static void write_levels(const struct coder *coder, float *room, float step, uint32_t *lower)
{
    for (size_t w = 0; w < coder->planes; w++) {
        lower[w] = 0;
        for (size_t i = 0; i < 32; i++) {
            float x = room[32 * w + i], size = fabsf(x);
            bool far = size > step;
            lower[w] |= (uint32_t)((x > 0) == far) << i;
            room[32 * w + i] = size * (far ? 1.5f : 0.5f);
        }
    }
}

static void write_residual(const float *room, size_t width, uint32_t scale, int8_t *residual)
{
    float inverse = scale ? 256 / code_float(scale << 16) : 0;
    for (size_t i = 0; i < width; i++) {
        int whole = (int)rintf(room[i] * inverse), upper = (whole + 128) >> 8;
        residual[i] = (int8_t)upper;
        residual[width + i] = (int8_t)(whole - upper * 256);
    }
}

void code_row(const struct coder *coder, const float *vector, float *room,
              const struct code_place *place)
{
    size_t width = coder->width;
    float greatest, ignored;
    float add = residual_of(coder, vector, room);
    float square = dot_best()(room, room, width);
    float all = sum_of_sizes(room, width, &greatest);
    float prefix = sum_of_sizes(room, 32 * coder->prefix, &ignored);
    uint32_t scale = bf16_above(greatest / 127);
    write_signs(coder, room, place);
    write_residual(room, width, scale, place->residual);
    write_levels(coder, room, LEVEL_STEP * sqrtf(square / (float)width), place->lower);
    float levels = sum_of_sizes(room, width, &ignored);
    uint32_t pair = bf16_above(add) << 16 | factor_of(square, prefix);
    place->block[code_row_mark(coder, place->row)] = pair;
    uint32_t *factors = place->rest + coder->rest - FACTOR_WORDS;
    factors[PAIR] = pair;
    factors[ADD] = float_bits(add);
    factors[FACTORS] = factor_of(square, all) << 16 | factor_of(square, levels);
    factors[SCALE] = scale;
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

/* The levels around 0 that the components are rounded to: level n is worth (n - 7.5) steps. */
static unsigned level_of(const struct code_query *query, float component)
{
    enum { LEVELS = 1 << CODE_PLANES };
    float inverse = query->step > 0 ? 1 / query->step : 0;
    float place = floorf(component * inverse) + LEVELS / 2;
    return place < 0 ? 0 : place > LEVELS - 1 ? LEVELS - 1 : (unsigned)place;
}

/* A component's bits differ from a sign 0 by its level, and from a sign 1 by the rest of 15. */
static void fill_table(const unsigned levels[4], uint8_t table[CODE_NIBBLES])
{
    for (unsigned n = 0; n < CODE_NIBBLES; n++) {
        unsigned sum = 0;
        for (unsigned i = 0; i < 4; i++)
            sum += n >> i & 1 ? 15 - levels[i] : levels[i];
        table[n] = (uint8_t)sum;
    }
}

static void round_query(struct code_query *query)
{
    memset(query->rows, 0, query->planes / 2 * CODE_PLANES * sizeof *query->rows);
    for (size_t i = 0; i < query->width; i += 4) {
        unsigned levels[4];
        for (size_t k = 0; k < 4; k++) {
            levels[k] = level_of(query, query->rotated[i + k]);
            for (size_t j = 0; j < CODE_PLANES; j++) {
                uint64_t bit = levels[k] >> j & 1;
                query->rows[j * query->planes / 2 + i / 64] |= bit << (i + k) % 64;
            }
        }
        size_t word = i / 32, byte = i / 8 % 4, upper = i / 4 % 2;
        if (word < query->prefix)
            fill_table(levels,
                       query->tables + word * CODE_TABLES + (4 * upper + byte) * CODE_NIBBLES);
    }
}

/* The standard deviation of the sum of `bits` signs times a query's components, |q'|^2 =
 * square. The signs have length sqrt(bits), of which r sees sqrt(2 / pi) bits / sqrt(width);
 * the rest of it meets q' like a random direction. Rounding the query adds its own. */
static float deviation_of_signs(float bits, float width, float square, float rounding)
{
    float rest = bits - 0.63661977f * bits * bits / width;
    return sqrtf(square * rest / width + bits * rounding);
}

/* What the truth may be above the estimates. Levels are that of 1 - LEVEL_LOSS of the variance.
 * A residual's components are up to half a scale off, and evenly so. */
static void set_bounds(struct code_query *query)
{
    float bits = 32 * (float)query->prefix, width = (float)query->width;
    float square = dot_best()(query->rotated, query->rotated, query->width);
    float rounding = query->step * query->step / 12;
    query->slack = SLACK * deviation_of_signs(bits, width, square, rounding);
    query->base = query->step * 7.5f * bits + query->slack;
    query->signs_slack = SIGNS_SLACK * deviation_of_signs(width, width, square, rounding);
    float kept = (1 - LEVEL_LOSS) / (LEVEL_STEP * LEVEL_STEP);
    query->fine_slack =
        FINE_SLACK * sqrtf(square * kept * LEVEL_LOSS + width * kept * rounding);
    query->scatter = SCATTER * sqrtf(square / 12);
}

bool code_query_init(struct code_query *out, const struct coder *coder, const float *query)
{
    *out = (struct code_query){
        .rotated = alloc_aligned(coder->width, sizeof(float)),
        .tables = alloc_aligned(coder->prefix, CODE_TABLES),
        .rows = alloc_aligned(coder->planes * CODE_PLANES / 2, sizeof(uint64_t)),
        .width = coder->width,
        .prefix = coder->prefix,
        .planes = coder->planes,
        .block = coder->block,
    };
    if (!out->rotated || !out->tables || !out->rows) {
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
    free(query->tables);
    free(query->rows);
    *query = (struct code_query){0};
}

/* ---- Steps 2 to 5 ---- */

static float upper_half(uint32_t word)
{
    return code_float(word & 0xffff0000u);
}

static float lower_half(uint32_t word)
{
    return code_float(word << 16);
}

/* The sum of signs times the query's components. */
static float signs_sum(const struct code_query *query, size_t words, uint32_t h)
{
    return query->step * (7.5f * 32 * (float)words - (float)h);
}

/* What step 1 counted, from its bound, which is too high by its rounding alone. A bound that
 * was cut off says nothing. */
static float prefix_sum(const struct code_query *query, uint32_t pair, int16_t whole)
{
    float factor = lower_half(pair);
    if (whole == INT16_MAX)
        return INFINITY;
    if (!(factor > 0))
        return 0;
    return ((float)whole / CODE_BOUND_SCALE - upper_half(pair)) / factor - query->slack;
}

/* Words of a row's rest, as the coder's `rest`. */
static size_t rest_size(const struct code_query *query)
{
    return query->planes - query->prefix + FACTOR_WORDS;
}

static const uint32_t *factors_of(const struct code_query *query, const uint32_t *rest,
                                  size_t row)
{
    return rest + (row + 1) * rest_size(query) - FACTOR_WORDS;
}

void code_bound_signs(const struct code_kernels *kernels, const struct code_query *query,
                      const uint32_t *rest, const int16_t *whole, const uint32_t *rows,
                      size_t count, float *bounds, float *signs)
{
    uint32_t h[CODE_BATCH];
    size_t words = query->planes - query->prefix;
    struct code_part part = {rest, rest_size(query), query->prefix / 2, words / 2};
    kernels->differ(query, &part, rows, count, h);
    for (size_t i = 0; i < count; i++) {
        const uint32_t *factors = factors_of(query, rest, rows[i]);
        float first = prefix_sum(query, factors[PAIR], whole[rows[i]]);
        signs[i] = first + signs_sum(query, words, h[i]);
        bounds[i] = code_float(factors[ADD]) +
                    upper_half(factors[FACTORS]) * (signs[i] + query->signs_slack);
    }
}

void code_bound_levels(const struct code_kernels *kernels, const struct code_query *query,
                       const uint32_t *rest, const uint32_t *lower, const uint32_t *rows,
                       size_t count, const float *signs, float *bounds)
{
    uint32_t h[CODE_BATCH];
    struct code_part part = {lower, query->planes, 0, query->planes / 2};
    kernels->differ(query, &part, rows, count, h);
    for (size_t i = 0; i < count; i++) {
        const uint32_t *factors = factors_of(query, rest, rows[i]);
        float levels = signs[i] + signs_sum(query, query->planes, h[i]) / 2;
        bounds[i] = code_float(factors[ADD]) +
                    lower_half(factors[FACTORS]) * (levels + query->fine_slack);
    }
}

float code_score(const struct code_kernels *kernels, const struct code_query *query,
                 const uint32_t *rest, const int8_t *residual, float *error)
{
    const uint32_t *factors = factors_of(query, rest, 0);
    float scale = lower_half(factors[SCALE]);
    *error = scale * query->scatter + SCATTER_LEAST;
    return code_float(factors[ADD]) +
           scale * kernels->dot(residual, query->rotated, query->width);
}

float code_score_fine(const struct code_kernels *kernels, const struct code_query *query,
                      const uint32_t *rest, const int8_t *residual)
{
    const uint32_t *factors = factors_of(query, rest, 0);
    size_t width = query->width;
    float upper = kernels->dot(residual, query->rotated, width);
    float lower = kernels->dot(residual + width, query->rotated, width);
    return code_float(factors[ADD]) + lower_half(factors[SCALE]) * (upper + lower / 256);
}

/* ---- Sums of vectors ---- */

void code_sum_add(const struct coder *coder, const uint32_t *rest, const int8_t *residual,
                  struct code_sum *sum)
{
    const uint32_t *factors = rest + coder->rest - FACTOR_WORDS;
    const int8_t *lower = residual + coder->width;
    float scale = lower_half(factors[SCALE]) / 256;
    for (size_t i = 0; i < coder->width; i++)
        sum->rotated[i] += scale * (float)(residual[i] * 256 + lower[i]);
    sum->add += (double)code_float(factors[ADD]);
    sum->rows++;
}

/* With n vectors x and s = sum R(x - c): sum x = n c + R's. */
double code_sum_cosine(const struct coder *coder, const struct code_query *query,
                       const struct code_sum *sum)
{
    size_t width = coder->width;
    double n = (double)sum->rows;
    double centre = (double)dot_best()(coder->centre, coder->centre, width);
    double square = (double)dot_best()(sum->rotated, sum->rotated, width);
    double product = (double)dot_best()(query->rotated, sum->rotated, width);
    double norm = sqrt(n * n * centre + 2 * n * sum->add + square);
    return norm > 0 ? (n * (double)query->centre + sum->add + product) / norm : NAN;
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
