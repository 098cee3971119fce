/* polynomials.h - 2^x and erf, the same for every instruction set. The coefficients are made
 * by tests/data/encoder/fit_polynomials.py, which states their errors. */
#ifndef RAG_ENCODER_POLYNOMIALS_H
#define RAG_ENCODER_POLYNOMIALS_H

/* 2^f on [-1/2, 1/2]; x is kept within [EXP2_LOW, EXP2_HIGH], where 2^x is a normal number. */
#define EXP2_LOW  -126.0F
#define EXP2_HIGH 127.0F
#define EXP2_POLYNOMIAL                                                                        \
    {                                                                                          \
        1.000000001e+00F, 6.931472057e-01F, 2.402264689e-01F, 5.550328777e-02F,                \
            9.618488995e-03F, 1.339993114e-03F, 1.534580188e-04F                               \
    }
enum { EXP2_DEGREE = 6 };

/* The same where bf16 is all that is kept of it. */
#define EXP2_SHORT_POLYNOMIAL                                                                  \
    {                                                                                          \
        9.999992614e-01F, 6.931218149e-01F, 2.402474512e-01F, 5.591785940e-02F,                \
            9.570090197e-03F                                                                   \
    }
enum { EXP2_SHORT_DEGREE = 4 };

/* erf(x) / x in u = x^2 * ERF_SCALE - 1 for |x| <= ERF_BOUND; beyond, erf is 1 to f32. */
#define ERF_BOUND 3.9F
#define ERF_SCALE (2.0F / (3.9F * 3.9F))
#define ERF_POLYNOMIAL                                                                         \
    {                                                                                          \
        3.625839747e-01F, -1.810110844e-01F, 1.346908546e-01F, -1.095323146e-01F,              \
            9.067423479e-02F, -7.380461115e-02F, 5.787627244e-02F, -4.277001308e-02F,          \
            2.923197809e-02F, -1.958148896e-02F, 1.341971976e-02F, -7.059072219e-03F,          \
            2.036851014e-03F, -1.512884545e-03F, 1.880755287e-03F, -7.129289834e-04F           \
    }
enum { ERF_DEGREE = 15 };

/* The same where bf16 is all that is kept of a GELU. */
#define ERF_SHORT_POLYNOMIAL                                                                   \
    {                                                                                          \
        3.625815909e-01F, -1.810180564e-01F, 1.348761524e-01F, -1.094246575e-01F,              \
            8.838325470e-02F, -7.399169154e-02F, 6.798434644e-02F, -4.429904523e-02F,          \
            9.915792918e-03F, -1.384554010e-02F, 2.863305417e-02F, -1.338671537e-02F           \
    }
enum { ERF_SHORT_DEGREE = 11 };

#define SQRT_HALF 0.70710678118654752F
#define LOG2_E    1.44269504088896341F
/* 2 log2(e) sqrt(2 / pi): tanh(y) = 1 - 2 / (2^(2 log2(e) y) + 1). */
#define GELU_TANH_SCALE 2.302208198F
#define GELU_TANH_CUBIC 0.044715F

#endif
