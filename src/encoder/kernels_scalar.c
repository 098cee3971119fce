/* The reference: each kernel as its formula is written. */
#include "encoder/kernels.h"
#include "encoder/polynomials.h"

#include <math.h>
#include <string.h>

static void product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                    size_t end, float *y, size_t stride)
{
    for (size_t i = 0; i < x->count; i++) {
        const float *row = (const float *)((const char *)x->data + i * x->stride);
        for (size_t g = first; g < end; g += TILE_COLUMNS) {
            const float *columns = (const float *)w->data + g * w->units;
            float sum[TILE_COLUMNS] = {0};
            if (w->bias)
                memcpy(sum, w->bias + g, sizeof sum);
            for (size_t u = 0; u < w->units; u++)
                for (size_t j = 0; j < TILE_COLUMNS; j++)
                    sum[j] += row[u] * columns[u * TILE_COLUMNS + j];
            memcpy(y + i * stride + g, sum, sizeof sum);
        }
    }
}

static void outer_product(size_t m, size_t n, size_t k, const float *a, size_t lda,
                          const float *b, size_t ldb, float *c, size_t ldc, bool add)
{
    for (size_t i = 0; i < m; i++) {
        float *row = c + i * ldc;
        if (!add)
            memset(row, 0, n * sizeof *row);
        for (size_t p = 0; p < k; p++)
            for (size_t j = 0; j < n; j++)
                row[j] += a[p * lda + i] * b[p * ldb + j];
    }
}

static float exp2_scalar(float x)
{
    static const float c[] = EXP2_POLYNOMIAL;
    x = x < EXP2_LOW ? EXP2_LOW : x > EXP2_HIGH ? EXP2_HIGH : x;
    float whole = nearbyintf(x);
    float f = x - whole, p = c[EXP2_DEGREE];
    for (int i = EXP2_DEGREE - 1; i >= 0; i--)
        p = p * f + c[i];
    return isnan(x) ? x : ldexpf(p, (int)whole);
}

static float erf_scalar(float x)
{
    static const float c[] = ERF_POLYNOMIAL;
    x = x < -ERF_BOUND ? -ERF_BOUND : x > ERF_BOUND ? ERF_BOUND : x;
    float u = x * x * ERF_SCALE - 1, p = c[ERF_DEGREE];
    for (int i = ERF_DEGREE - 1; i >= 0; i--)
        p = p * u + c[i];
    return x * p;
}

static void softmax_block(float *s, size_t keys, size_t n, float *max, float *sum,
                          float *factor)
{
    for (size_t q = 0; q < n; q++) {
        float greatest = max[q];
        for (size_t key = 0; key < keys; key++)
            greatest = s[key * n + q] > greatest ? s[key * n + q] : greatest;
        float total = 0;
        for (size_t key = 0; key < keys; key++) {
            s[key * n + q] = exp2_scalar(s[key * n + q] - greatest);
            total += s[key * n + q];
        }
        factor[q] = exp2_scalar(max[q] - greatest);
        sum[q] = sum[q] * factor[q] + total;
        max[q] = greatest;
    }
}

static void layer_norm(const float *x, const float *residual, const float *scale,
                       const float *shift, float epsilon, size_t n, float *y)
{
    float sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        y[i] = residual ? x[i] + residual[i] : x[i];
        sum += y[i];
    }
    float mean = sum / (float)n;
    for (size_t i = 0; i < n; i++)
        squares += (y[i] - mean) * (y[i] - mean);
    float inverse = 1 / sqrtf(squares / (float)n + epsilon);
    for (size_t i = 0; i < n; i++)
        y[i] = (y[i] - mean) * inverse * scale[i] + shift[i];
}

static void gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.5F * x[i] * (1 + erf_scalar(x[i] * SQRT_HALF));
}

static void gelu_tanh(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float y = x[i] * (1 + GELU_TANH_CUBIC * x[i] * x[i]);
        x[i] -= x[i] / (exp2_scalar(GELU_TANH_SCALE * y) + 1);
    }
}

static void relu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] < 0 ? 0 : x[i];
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add(float *sum, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

static void scale(float *y, const float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = factor * x[i];
}

static bool finite_scalar(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

const struct kernels kernels_scalar = {
    .level = CPU_SCALAR,
    .product = product,
    .outer_product = outer_product,
    .softmax_block = softmax_block,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .gelu_tanh = gelu_tanh,
    .relu = relu,
    .dot = dot,
    .add = add,
    .scale = scale,
    .finite = finite_scalar,
};
