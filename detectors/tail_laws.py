"""Survival functions as -ln p, exact where p itself has long become 0."""

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv, betaln

Values = npt.NDArray[np.float64]

_SMALLEST = 1e-290  # below this betainc loses its digits


def minus_log_f_tail(f: Values, numerator: Values, denominator: Values) -> Values:
    """-ln P(F > f) of Fisher's F law.

    P = I_w(d2/2, d1/2), w = d2 / (d2 + d1 * f); below 1e-290 the first two terms of
    w^(d2/2) (1 - w)^(d1/2 - 1) / (d2/2 B(d2/2, d1/2)) * 2F1(1, 1 - d1/2; d2/2 + 1; w / (w - 1)).

    Args:
        f: >= 0, any shape.
        numerator: degrees of freedom d1 > 0, broadcast against f.
        denominator: d2 > 0; 1e7 is the chi-squared law of d1, over d1.

    Size to expect: 0 at f = 0; 3.0 at the 95 % quantile. Relative error below 1e-9 above 1e-290,
    and below 0.1 % beyond.
    Source: Abramowitz & Stegun 26.6.2, 26.5.4 and 15.3.4.

    >>> float(minus_log_f_tail(np.array(4.964603), np.array(1.0), np.array(10.0)).round(4))    # ln 20
    2.9957
    """
    w = denominator / (denominator + numerator * np.maximum(f, 0.0))
    a, b = denominator / 2, numerator / 2
    tail = betainc(a, b, w)
    found: Values = -np.log(np.maximum(tail, _SMALLEST))
    deep = tail < _SMALLEST
    if np.any(deep):
        inside = np.clip(w, 1e-300, 1 - 1e-16)
        second = np.log(np.maximum(1 + (b - 1) / (a + 1) * inside / (1 - inside), 1e-3))
        leading = -(a * np.log(inside) + (b - 1) * np.log1p(-inside) - np.log(a) - betaln(a, b) + second)
        found = np.where(deep, np.maximum(leading, -np.log(_SMALLEST)), found)
    return found


def f_quantile(tail: Values, numerator: Values, denominator: Values) -> Values:
    """The f that P(F > f) = `tail` of Fisher's F law belongs to; as `minus_log_f_tail`, down to tails of 1e-300.

    >>> float(f_quantile(np.array(0.05), np.array(1.0), np.array(10.0)).round(6))
    4.964603
    """
    below: Values = np.maximum(betaincinv(denominator / 2, numerator / 2, tail), 1e-300)
    return denominator * (1 - below) / (numerator * below)
