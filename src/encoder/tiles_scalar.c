/* The reference: each kernel as its formula is written. */
#include "encoder/bf16.h"
#include "encoder/polynomials.h"
#include "encoder/tiles.h"

#include <math.h>
#include <string.h>

static float gelu(float x)
{
    return 0.5F * x * (1 + erff(x * SQRT_HALF));
}

/* y[row][column] = x in the form that is asked for. */
static void put(const struct tile_result *y, size_t row, size_t column, float x)
{
    size_t at = row * y->stride + column;
    if (y->form == TILE_F32)
        ((float *)y->data)[at] = x;
    else
        ((uint16_t *)y->data)[at] = bf16_from_f32(y->form == TILE_GELU_BF16 ? gelu(x) : x);
}

static void int8_product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, const struct tile_result *y)
{
    for (size_t i = 0; i < x->count; i++) {
        const uint8_t *row = (const uint8_t *)x->data + i * x->stride;
        float scale = *(const float *)((const char *)x->scale + i * x->stride);
        for (size_t g = first; g < end; g += TILE_COLUMNS) {
            const int8_t *column = (const int8_t *)w->data + g * w->units * 4;
            int32_t sum[TILE_COLUMNS];
            memcpy(sum, w->offset + g, sizeof sum);
            for (size_t u = 0; u < w->units; u++)
                for (size_t j = 0; j < TILE_COLUMNS; j++)
                    for (size_t b = 0; b < 4; b++)
                        sum[j] += row[u * 4 + b] * column[(u * TILE_COLUMNS + j) * 4 + b];
            for (size_t j = 0; j < TILE_COLUMNS; j++)
                put(y, i, g + j, fmaf((float)sum[j], scale * w->scale[g + j], w->bias[g + j]));
        }
    }
}

static void bf16_product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, const struct tile_result *y)
{
    for (size_t i = 0; i < x->count; i++) {
        const uint16_t *row = (const uint16_t *)((const char *)x->data + i * x->stride);
        for (size_t g = first; g < end; g += TILE_COLUMNS) {
            const uint16_t *column = (const uint16_t *)w->data + g * w->units * 2;
            for (size_t j = 0; j < TILE_COLUMNS; j++) {
                float sum = w->bias ? w->bias[g + j] : 0;
                for (size_t u = 0; u < w->units; u++)
                    for (size_t b = 0; b < 2; b++)
                        sum += bf16_to_f32(row[u * 2 + b]) *
                               bf16_to_f32(column[(u * TILE_COLUMNS + j) * 2 + b]);
                put(y, i, g + j, sum);
            }
        }
    }
}

/* Element i, before it is quantised. */
static float element(const float *x, const uint16_t *half, const float *factor, size_t i)
{
    float v = x ? x[i] : bf16_to_f32(half[i]);
    return factor ? v * factor[i] : v;
}

static float quantise_any(const float *x, const uint16_t *half, const float *factor,
                          uint8_t zero, size_t n, uint8_t *q)
{
    float greatest = 0, least = 0, finite = 0;
    for (size_t i = 0; i < n; i++) {
        float v = element(x, half, factor, i);
        greatest = v > greatest ? v : greatest;
        least = v < least ? v : least;
        finite += v * 0;
    }
    float scale = tile_scale(least, greatest, zero), inverse = tile_inverse(scale);
    for (size_t i = 0; i < n; i++) {
        float v = element(x, half, factor, i) * inverse;
        q[i] = finite == 0 ? (uint8_t)((int)nearbyintf(v) + zero) : zero;
    }
    memset(q + n, zero, tile_padded(n, TILE_BYTES) - n);
    return scale + finite;
}

static float quantise(const float *x, const float *factor, uint8_t zero, size_t n, uint8_t *q)
{
    return quantise_any(x, NULL, factor, zero, n, q);
}

static float quantise_bf16(const uint16_t *x, const float *factor, uint8_t zero, size_t n,
                           uint8_t *q)
{
    return quantise_any(NULL, x, factor, zero, n, q);
}

static void to_bf16(const float *x, float factor, size_t n, uint16_t *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = bf16_from_f32(x[i] * factor);
    memset(y + n, 0, (tile_padded(n, TILE_BYTES / 2) - n) * sizeof *y);
}

static void softmax(const float *s, size_t s_stride, float scale, size_t rows, size_t keys,
                    float *max, float *sum, float *factor, uint16_t *p, size_t p_stride)
{
    for (size_t i = 0; i < rows; i++, s += s_stride, p += p_stride) {
        float greatest = max[i], total = 0;
        for (size_t j = 0; j < keys; j++)
            greatest = s[j] * scale > greatest ? s[j] * scale : greatest;
        for (size_t j = 0; j < keys; j++) {
            float power = exp2f(s[j] * scale - greatest);
            p[j] = bf16_from_f32(power);
            total += power;
        }
        memset(p + keys, 0, (tile_padded(keys, TILE_BYTES / 2) - keys) * sizeof *p);
        factor[i] = exp2f(max[i] - greatest);
        sum[i] = sum[i] * factor[i] + total;
        max[i] = greatest;
    }
}

/* [groups of 16][units][16][2]: element b of unit u of column j. */
static size_t place(size_t units, size_t column, size_t u, size_t b)
{
    return ((column / TILE_COLUMNS * units + u) * TILE_COLUMNS + column % TILE_COLUMNS) * 2 + b;
}

static void pack_keys(const uint16_t *k, size_t stride, size_t count, size_t size,
                      uint16_t *packed)
{
    size_t units = tile_padded(size, TILE_BYTES / 2) / 2;
    for (size_t j = 0; j < tile_padded(count, TILE_COLUMNS); j++)
        for (size_t i = 0; i < units * 2; i++)
            packed[place(units, j, i / 2, i % 2)] =
                j < count && i < size ? k[j * stride + i] : 0;
}

static void pack_values(const uint16_t *v, size_t stride, size_t count, size_t size,
                        uint16_t *packed)
{
    size_t units = tile_padded(count, TILE_BYTES / 2) / 2;
    for (size_t j = 0; j < tile_padded(size, TILE_COLUMNS); j++)
        for (size_t i = 0; i < units * 2; i++)
            packed[place(units, j, i / 2, i % 2)] =
                i < count && j < size ? v[i * stride + j] : 0;
}

const struct tile_kernels tiles_scalar = {
    .level = CPU_SCALAR,
    .int8_product = int8_product,
    .bf16_product = bf16_product,
    .quantise = quantise,
    .quantise_bf16 = quantise_bf16,
    .to_bf16 = to_bf16,
    .softmax = softmax,
    .pack_keys = pack_keys,
    .pack_values = pack_values,
};
