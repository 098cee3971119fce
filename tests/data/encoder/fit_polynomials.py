"""Prints the coefficients of src/encoder/polynomials.h.

They are near-minimax fits by iteratively reweighted least squares (Lawson's algorithm) on
4000 Chebyshev nodes, in double precision:

    2^f on [-1/2, 1/2], degree 6, relative error 1.9e-9; degree 4, 2.6e-6
    erf(x) / x as a polynomial of degree 15 in u = x^2 * 2/3.9^2 - 1 on |x| <= 3.9, absolute
    error of erf 1.9e-8 (1.8e-7 when computed in f32), degree 11, 7e-6; in u the sum of the coefficients'
    magnitudes is 1.13, so that nothing cancels

Made with Python 3.11, numpy 2.4.6: python3 fit_polynomials.py
"""
import math

import numpy as np
from numpy.polynomial import chebyshev


def fit(function, low, high, degree, weight, rounds=40):
    count = 4000
    u = np.cos((np.arange(count) + 0.5) / count * np.pi)
    x = (u + 1) / 2 * (high - low) + low
    y, w = function(x), weight(x)
    basis, lawson = chebyshev.chebvander(u, degree), np.ones(count)
    for _ in range(rounds):
        scale = np.sqrt(lawson) * w
        c = np.linalg.lstsq(basis * scale[:, None], y * scale, rcond=None)[0]
        error = abs((basis @ c - y) * w)
        lawson *= error / error.max() + 1e-3
        lawson /= lawson.mean()
    return chebyshev.cheb2poly(c), error.max()


def erf_over_x(square):
    x = np.sqrt(np.maximum(square, 1e-30))
    return np.array([math.erf(v) / v for v in x])


def show(name, coefficients, error):
    print(f"{name}: error {error:.2g}")
    print(", ".join(f"{c:.9e}F" for c in coefficients))


exp2, error = fit(lambda f: 2.0**f, -0.5, 0.5, 6, lambda f: 2.0**-f)
show("exp2", exp2 * 2.0 ** np.arange(7), error)
exp2, error = fit(lambda f: 2.0**f, -0.5, 0.5, 4, lambda f: 2.0**-f)
show("exp2 short", exp2 * 2.0 ** np.arange(5), error)
show("erf", *fit(erf_over_x, 0, 3.9**2, 15, lambda s: np.sqrt(s) + 0.05))
show("erf short", *fit(erf_over_x, 0, 3.9**2, 11, lambda s: np.sqrt(s) + 0.05))
