/* Each instruction set's tile kernels against the scalar ones over odd sizes, and those against
 * plain arithmetic in double precision. */
#include "base/memory.h"
#include "encoder/bf16.h"
#include "encoder/tiles.h"
#include "support/test.h"

#include <math.h>

static uint32_t seed = 1;

static uint32_t any_bits(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static float any(float width)
{
    return width * ((float)any_bits() / (1 << 23) - 1);
}

static void *room(size_t count, size_t size)
{
    void *memory = alloc_aligned(count, size);
    assert_non_null(memory);
    memset(memory, 0x55, count * size);
    return memory;
}

/* Calls `check` with the kernels of each instruction set that this machine has. */
static void each_level(void (*check)(const struct tile_kernels *tiles))
{
    for (int level = CPU_SCALAR; level < CPU_LEVELS; level++)
        if (cpu_has((enum cpu_level)level))
            check(tile_kernels_for((enum cpu_level)level));
}

/* A product of `rows` rows and `columns` columns (a multiple of 16) over `depth` tiles. */
struct problem {
    struct tile_rows x;
    struct tile_matrix w;
    char *row_memory;
    uint8_t *packed;
    float *bias, *scale;
    int32_t *offset;
    size_t rows, columns;
};

static void problem_make(struct problem *p, size_t rows, size_t columns, size_t depth,
                         bool int8)
{
    size_t units = depth * TILE_UNITS, stride = TILE_BYTES + units * 4;
    size_t padded = tile_padded(rows, TILE_ROWS);
    *p = (struct problem){.rows = rows, .columns = columns};
    p->row_memory = room(padded, stride);
    p->packed = room(columns * units, 4);
    p->bias = room(columns, sizeof *p->bias);
    p->scale = room(columns, sizeof *p->scale);
    p->offset = room(columns, sizeof *p->offset);
    for (size_t i = 0; i < padded; i++) {
        char *row = p->row_memory + i * stride;
        *(float *)row = 0.01F + fabsf(any(0.01F));
        for (size_t j = 0; j < units * 4; j++)
            if (int8)
                row[TILE_BYTES + j] = (char)any_bits();
            else if (j % 2 == 0)
                *(uint16_t *)(row + TILE_BYTES + j) = bf16_from_f32(any(1));
    }
    for (size_t j = 0; j < columns * units * 4; j++)
        if (int8)
            p->packed[j] = (uint8_t)(any_bits() % 255 - 127);
        else if (j % 2 == 0)
            *(uint16_t *)(p->packed + j) = bf16_from_f32(any(1));
    for (size_t j = 0; j < columns; j++) {
        p->bias[j] = any(1);
        p->scale[j] = 0.01F + fabsf(any(0.01F));
        p->offset[j] = (int32_t)any_bits() - (1 << 23);
    }
    p->x = (struct tile_rows){p->row_memory + TILE_BYTES, stride, rows, (float *)p->row_memory};
    p->w = (struct tile_matrix){p->packed, units, p->bias, p->scale, p->offset};
}

static void problem_release(struct problem *p)
{
    free(p->row_memory);
    free(p->packed);
    free(p->bias);
    free(p->scale);
    free(p->offset);
}

/* The product as its definition says. */
static double expected_int8(const struct problem *p, size_t i, size_t j)
{
    const uint8_t *row = (const uint8_t *)p->x.data + i * p->x.stride;
    int64_t sum = p->offset[j];
    for (size_t k = 0; k < p->w.units * 4; k++)
        sum += row[k] *
               (int8_t)p->packed[((j / 16 * p->w.units + k / 4) * 16 + j % 16) * 4 + k % 4];
    double row_scale = *(const float *)(p->row_memory + i * p->x.stride);
    return (double)sum * row_scale * p->scale[j] + p->bias[j];
}

static double expected_bf16(const struct problem *p, size_t i, size_t j)
{
    const uint16_t *row = (const uint16_t *)((const char *)p->x.data + i * p->x.stride);
    const uint16_t *packed = (const uint16_t *)p->packed;
    double sum = p->bias[j];
    for (size_t k = 0; k < p->w.units * 2; k++)
        sum += (double)bf16_to_f32(row[k]) *
               bf16_to_f32(packed[((j / 16 * p->w.units + k / 2) * 16 + j % 16) * 2 + k % 2]);
    return sum;
}

static const size_t shapes[][3] = {/* rows, columns, depth */
                                   {1, 16, 1},  {2, 32, 1},  {5, 48, 3},  {12, 16, 2},
                                   {13, 64, 1}, {16, 32, 6}, {17, 80, 2}, {33, 48, 1},
                                   {47, 32, 4}, {61, 16, 5}, {128, 64, 2}};

static void check_int8(const struct tile_kernels *tiles)
{
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t rows = shapes[s][0], columns = shapes[s][1], stride = columns + 16;
        struct problem p;
        problem_make(&p, rows, columns, shapes[s][2], true);
        size_t count = tile_padded(rows, TILE_ROWS) * stride;
        float *y = room(count, sizeof *y), *reference = room(count, sizeof *y);
        tiles->int8_product(&p.x, &p.w, 0, columns, &(struct tile_result){y, stride, TILE_F32});
        tiles_scalar.int8_product(&p.x, &p.w, 0, columns,
                                  &(struct tile_result){reference, stride, TILE_F32});
        for (size_t i = 0; i < rows; i++) {
            assert_memory_equal(y + i * stride, reference + i * stride, columns * sizeof *y);
            for (size_t j = 0; j < columns; j += 7) {
                double expected = expected_int8(&p, i, j);
                assert_true(fabs(y[i * stride + j] - expected) < 1e-6 * (1 + fabs(expected)));
            }
        }
        problem_release(&p);
        free(y);
        free(reference);
    }
}

static void int8_products_are_the_same_to_the_bit(void **state)
{
    (void)state;
    each_level(check_int8);
}

static void check_bf16(const struct tile_kernels *tiles)
{
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t rows = shapes[s][0], columns = shapes[s][1], stride = columns + 16;
        struct problem p;
        problem_make(&p, rows, columns, shapes[s][2], false);
        float *y = room(tile_padded(rows, TILE_ROWS) * stride, sizeof *y);
        tiles->bf16_product(&p.x, &p.w, 0, columns, &(struct tile_result){y, stride, TILE_F32});
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++)
                assert_true(fabs(y[i * stride + j] - expected_bf16(&p, i, j)) < 1e-4);
        problem_release(&p);
        free(y);
    }
}

static void bf16_products_agree_with_double_precision(void **state)
{
    (void)state;
    each_level(check_bf16);
}

/* Columns [first, end) alone, and fewer rows: the same bits, and nothing else is touched. */
static void check_parts(const struct tile_kernels *tiles)
{
    enum { ROWS = 50, COLUMNS = 96, FIRST = 16, END = 64, LONE = 33 };
    for (int int8 = 0; int8 < 2; int8++) {
        struct problem p;
        problem_make(&p, ROWS, COLUMNS, 3, int8);
        float *whole = room(64 * COLUMNS, sizeof *whole),
              *part = room(64 * COLUMNS, sizeof *part);
        float untouched = *part;
        struct tile_rows lone = p.x;
        lone.data = (const char *)lone.data + LONE * lone.stride;
        lone.scale = (const float *)((const char *)lone.scale + LONE * lone.stride);
        lone.count = 1;
        void (*product)(const struct tile_rows *, const struct tile_matrix *, size_t, size_t,
                        const struct tile_result *) =
            int8 ? tiles->int8_product : tiles->bf16_product;
        product(&p.x, &p.w, 0, COLUMNS, &(struct tile_result){whole, COLUMNS, TILE_F32});
        product(&lone, &p.w, FIRST, END, &(struct tile_result){part, COLUMNS, TILE_F32});
        assert_memory_equal(part + FIRST, whole + (size_t)LONE * COLUMNS + FIRST,
                            (END - FIRST) * sizeof *part);
        for (size_t j = 0; j < COLUMNS; j++)
            if (j < FIRST || j >= END)
                assert_memory_equal(part + j, &untouched, sizeof untouched);
        problem_release(&p);
        free(whole);
        free(part);
    }
}

static void a_row_has_the_same_bits_alone_and_in_other_columns(void **state)
{
    (void)state;
    each_level(check_parts);
}

/* bf16 results are those in f32, rounded, with GELU or without. */
static void check_forms(const struct tile_kernels *tiles)
{
    enum { ROWS = 45, COLUMNS = 80, ROOM = 48 * COLUMNS };
    if (!tiles->fast_bf16 && tiles->level != CPU_SCALAR)
        return;
    for (int int8 = 0; int8 < 2; int8++) {
        struct problem p;
        problem_make(&p, ROWS, COLUMNS, 2, int8);
        for (size_t j = 0; j < COLUMNS; j++) {
            p.scale[j] *= 1e-3F; /* results around GELU's bend */
            p.offset[j] = -128;
        }
        static float exact[ROOM];
        static uint16_t rounded[ROOM], gelu[ROOM];
        void (*product)(const struct tile_rows *, const struct tile_matrix *, size_t, size_t,
                        const struct tile_result *) =
            int8 ? tiles->int8_product : tiles->bf16_product;
        product(&p.x, &p.w, 0, COLUMNS, &(struct tile_result){exact, COLUMNS, TILE_F32});
        product(&p.x, &p.w, 0, COLUMNS, &(struct tile_result){rounded, COLUMNS, TILE_BF16});
        product(&p.x, &p.w, 0, COLUMNS, &(struct tile_result){gelu, COLUMNS, TILE_GELU_BF16});
        for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++) {
            double x = exact[i], y = 0.5 * x * (1 + erf(x / sqrt(2)));
            assert_int_equal(rounded[i], bf16_from_f32(exact[i]));
            assert_true(fabs(bf16_to_f32(gelu[i]) - y) <=
                        fabs(y) / 256 + 1e-5 * fabs(x) + 1e-30);
        }
        problem_release(&p);
    }
}

static void results_are_rounded_to_bf16_with_gelu_or_without(void **state)
{
    (void)state;
    each_level(check_forms);
}

static const size_t sizes[] = {1,  2,  7,  8,  15, 16,  17,  31,  32,  33,
                               48, 63, 64, 65, 96, 100, 127, 384, 511, 1024};
enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 1024 };

static void check_quantise(const struct tile_kernels *tiles)
{
    static float x[MOST], factor[MOST];
    static uint8_t q[MOST + TILE_BYTES], reference[MOST + TILE_BYTES];
    static uint16_t half[MOST];
    for (size_t s = 0; s < SIZES; s++)
        for (int with = 0; with < 4; with++) {
            uint8_t zero = with & 2 ? TILE_LOW : TILE_MIDDLE;
            const float *factors = with & 1 ? factor : NULL;
            size_t n = sizes[s], padded = tile_padded(n, TILE_BYTES);
            for (size_t i = 0; i < MOST; i++) {
                x[i] = any(3);
                if (zero == TILE_LOW && x[i] < 0)
                    x[i] *= 0.05F;
                factor[i] = 0.2F + fabsf(any(2));
            }
            memset(q, 7, sizeof q);
            float scale = tiles->quantise(x, factors, zero, n, q);
            float same = tiles_scalar.quantise(x, factors, zero, n, reference);
            assert_true(scale == same);
            assert_memory_equal(q, reference, padded);
            assert_int_equal(q[padded], 7);
            for (size_t i = 0; i < n; i++)
                half[i] = bf16_from_f32(x[i]);
            if (tiles->quantise_bf16) {
                static uint8_t q_half[MOST + TILE_BYTES];
                assert_true(tiles->quantise_bf16(half, factors, zero, n, q_half) ==
                            tiles_scalar.quantise_bf16(half, factors, zero, n, reference));
                assert_memory_equal(q_half, reference, padded);
            }
            for (size_t i = 0; i < n; i++) {
                float v = factors ? x[i] * factor[i] : x[i];
                assert_true(fabsf((float)(q[i] - zero) * scale - v) <= scale * 0.5001F);
            }
        }
}

static void quantising_is_the_same_to_the_bit_and_within_half_a_step(void **state)
{
    (void)state;
    each_level(check_quantise);
}

static void check_quantise_limits(const struct tile_kernels *tiles)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t s = 0; s < SIZES; s++) {
        static float x[MOST];
        static uint8_t q[MOST + TILE_BYTES];
        size_t n = sizes[s];
        memset(x, 0, sizeof x);
        assert_true(tiles->quantise(x, NULL, TILE_MIDDLE, n, q) == 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(q[i], 128);
        x[n - 1] = 1e-38F; /* its inverse would be infinite */
        assert_true(isfinite(tiles->quantise(x, NULL, TILE_MIDDLE, n, q)));
        for (size_t b = 0; b < 3; b++)
            for (size_t at = 0; at < n; at += 1 + n / 5) {
                memset(x, 0, sizeof x);
                x[at] = bad[b];
                assert_true(isnan(tiles->quantise(x, NULL, TILE_MIDDLE, n, q)));
            }
    }
}

static void nothing_and_what_is_not_finite_are_quantised_safely(void **state)
{
    (void)state;
    each_level(check_quantise_limits);
}

static void check_to_bf16(const struct tile_kernels *tiles)
{
    static float x[MOST];
    static uint16_t y[MOST + TILE_BYTES];
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s], padded = tile_padded(n, TILE_BYTES / 2);
        for (size_t i = 0; i < n; i++)
            x[i] = any(100);
        memset(y, 7, sizeof y);
        tiles->to_bf16(x, 0.3F, n, y);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(y[i], bf16_from_f32(x[i] * 0.3F));
        for (size_t i = n; i < padded; i++)
            assert_int_equal(y[i], 0);
        assert_int_equal(y[padded], 0x0707);
        x[n / 2] = NAN;
        tiles->to_bf16(x, 1, n, y);
        assert_true(isnan(bf16_to_f32(y[n / 2])));
    }
}

static void bf16_is_rounded_to_the_nearest(void **state)
{
    (void)state;
    each_level(check_to_bf16);
}

/* Two blocks of keys against exact powers; the bound is bf16's. */
static void check_softmax(const struct tile_kernels *tiles)
{
    enum { ROWS = 5, KEYS = 100, STRIDE = 128 };
    static float s[2][ROWS * STRIDE];
    static uint16_t p[2][ROWS * STRIDE];
    float max[ROWS], sum[ROWS], factor[ROWS];
    if (!tiles->softmax)
        return;
    for (size_t keys = 1; keys <= KEYS; keys += 3) {
        for (size_t i = 0; i < ROWS; i++) {
            max[i] = -INFINITY;
            sum[i] = 0;
        }
        for (int block = 0; block < 2; block++) {
            for (size_t i = 0; i < ROWS * STRIDE; i++)
                s[block][i] = any(30);
            tiles->softmax(s[block], STRIDE, 1, ROWS, keys, max, sum, factor, p[block], STRIDE);
        }
        for (size_t i = 0; i < ROWS; i++) {
            double greatest = -INFINITY, total = 0;
            for (int block = 0; block < 2; block++)
                for (size_t j = 0; j < keys; j++)
                    greatest = fmax(greatest, s[block][i * STRIDE + j]);
            for (int block = 0; block < 2; block++)
                for (size_t j = 0; j < keys; j++)
                    total += exp2(s[block][i * STRIDE + j] - greatest);
            assert_true((double)max[i] == greatest);
            assert_true(fabs(sum[i] - total) < 1e-5 * total);
            for (size_t j = 0; j < tile_padded(keys, TILE_BYTES / 2); j++) {
                double power = j < keys ? exp2(s[1][i * STRIDE + j] - greatest) : 0;
                double first = j < keys ? exp2(s[0][i * STRIDE + j] - greatest) : 0;
                assert_true(fabs(bf16_to_f32(p[1][i * STRIDE + j]) - power) <=
                            0.004 * power + 1e-37);
                assert_true(fabs(bf16_to_f32(p[0][i * STRIDE + j]) * (double)factor[i] -
                                 first) <= 0.004 * first + 1e-37);
            }
        }
    }
    s[0][STRIDE] = NAN;
    tiles->softmax(s[0], STRIDE, 1, 2, KEYS, max, sum, factor, p[0], STRIDE);
    assert_true(isfinite(sum[0]) && isnan(sum[1]));
}

static void an_online_softmax_agrees_with_exact_powers_of_two(void **state)
{
    (void)state;
    each_level(check_softmax);
}

static void check_packing(const struct tile_kernels *tiles)
{
    enum { COUNT = 70, SIZE = 100, STRIDE = 104, ROOM = 128 * 128 };
    static uint16_t rows[COUNT * STRIDE];
    static _Alignas(64) uint16_t packed[ROOM], reference[ROOM];
    if (!tiles->pack_keys)
        return;
    for (size_t i = 0; i < COUNT * STRIDE; i++)
        rows[i] = bf16_from_f32(any(2));
    for (size_t count = 1; count <= COUNT; count += 3)
        for (size_t size = 1; size <= SIZE; size += 9) {
            memset(packed, 7, sizeof packed);
            memset(reference, 7, sizeof reference);
            tiles->pack_keys(rows, STRIDE, count, size, packed);
            tiles_scalar.pack_keys(rows, STRIDE, count, size, reference);
            assert_memory_equal(packed, reference, sizeof packed);
            tiles->pack_values(rows, STRIDE, count, size, packed);
            tiles_scalar.pack_values(rows, STRIDE, count, size, reference);
            assert_memory_equal(packed, reference, sizeof packed);
        }
}

static void keys_and_values_are_packed_as_the_reference_does(void **state)
{
    (void)state;
    each_level(check_packing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_products_are_the_same_to_the_bit),
        cmocka_unit_test(bf16_products_agree_with_double_precision),
        cmocka_unit_test(a_row_has_the_same_bits_alone_and_in_other_columns),
        cmocka_unit_test(results_are_rounded_to_bf16_with_gelu_or_without),
        cmocka_unit_test(quantising_is_the_same_to_the_bit_and_within_half_a_step),
        cmocka_unit_test(nothing_and_what_is_not_finite_are_quantised_safely),
        cmocka_unit_test(bf16_is_rounded_to_the_nearest),
        cmocka_unit_test(an_online_softmax_agrees_with_exact_powers_of_two),
        cmocka_unit_test(keys_and_values_are_packed_as_the_reference_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
