"""Whether more answers lie over a limit than are allowed, and more than chance explains.

The *count* over the limit is tested, not the quantile: "p99 > SLA" and "more than 1 % are over the SLA" say the
same of a window, but the count has a distribution that is known.

Cost: O(1). Weak: with `overdispersion` 0 answers are taken as independent. Real latencies come in bursts, and windows
that overlap repeat each other; learn the overdispersion from healthy windows, or take a smaller level.
"""

from scipy.stats import betabinom, binom


def over_limit_p_value(over: int, n: int, allowed: float, overdispersion: float = 0.0) -> float:
    """P-value of "at most the share `allowed` of the answers lies over the limit".

    P(X >= over) for X ~ Binomial(n, allowed); with overdispersion r > 0 for X ~ BetaBinomial of n, mean
    `allowed` and intra-class correlation r: a = allowed * (1 / r - 1), b = (1 - allowed) * (1 / r - 1).

    Args:
        over: how many lie over it, 0 <= over <= n.
        n: answers in the window.
        allowed: the share that may, 0 < allowed < 1; 0.01 for a p99.
        overdispersion: how alike the answers of one window are, 0 <= r < 1; 0: independent.

    Returns:
        0..1; small = too many. 1 where none lies over it.

    Raises:
        ValueError: an argument outside of its range.

    Size to expect: a service exactly at its limit reads about 0.5, and below 0.001 in at most 1 window of 1,000,
    whatever n is (the test is exact). With 1 % allowed and 1,000 answers, 21 over the limit have p = 0.0015, 22 have
    p = 0.0007; at a level of 0.001 a rise to 2 % is seen in 44 of 100 windows of 1,100 answers, one to 5 % in 89 of
    100 windows of 300.
    Source: Clopper & Pearson 1934; Skellam 1948 (beta-binomial).

    >>> over_limit_p_value(1, 2, 0.5)                       # 1 - 0.5 ** 2
    0.75
    >>> round(over_limit_p_value(22, 1000, 0.01), 4)
    0.0007
    >>> round(over_limit_p_value(22, 1000, 0.01, overdispersion=0.01), 2)
    0.12
    """
    if not 0 <= over <= n:
        raise ValueError(f"over must be in 0..n = {n}, got {over}")
    if not (0 < allowed < 1 and 0 <= overdispersion < 1):
        raise ValueError(f"allowed must be in (0, 1) and overdispersion in [0, 1), got {allowed} and {overdispersion}")
    if over == 0:
        return 1.0
    if overdispersion == 0:
        return float(binom.sf(over - 1, n, allowed))
    strength = 1 / overdispersion - 1
    return float(betabinom.sf(over - 1, n, allowed * strength, (1 - allowed) * strength))
