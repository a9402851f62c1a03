/* What is most similar to each window of a series: profile/steps.py, to the same bits. */
#include <stdlib.h>

#include "lanes.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { ROWS, VARIABLES, WINDOWS, BOTH_WAYS, FIRST_LAG };

/* Lags that are worked on together: so many that compilers take several at a time, and few enough for the cache. */
enum { LAGS = 64 };

/* What is earlier is counted backwards, so that rows of growing lags lie one behind the other; LAGS zeros follow. */
typedef struct {
    const int64_t *counts, *windows, *nearest; /* of each window its length and its smallest lag */
    const double *values, *blocked;            /* (d, n), and (m, n) or null */
    double *back, *blocked_back;               /* the same backwards */
    double *sums;                              /* of squares up to each row, of as many rows as the longest window has */
    int64_t ring;                              /* a power of two */
    double *least, *least_back;                /* (m, n) among earlier windows; among later ones, backwards */
    int64_t *lag, *lag_back;                   /* the same, or null */
} Join;

INLINE double smaller(double a, double b) {
    return a < b ? a : b;
}

/* Squared differences of row t to those a lag and more before it, over all variables; none before the first row. */
INLINE void squares(const Join *it, int64_t t, int64_t there, double *restrict to) {
    const int64_t n = it->counts[ROWS];
    for (int k = 0; k < LAGS; k++) to[k] = 0;
    for (int64_t v = 0; v < it->counts[VARIABLES]; v++) {
        const double value = it->values[v * n + t], *earlier = it->back + v * (n + LAGS) + there;
        for (int k = 0; k < LAGS; k++) {
            double off = value - earlier[k], square = off * off;
            to[k] += square == square ? square : 0; /* what is missing differs from nothing */
        }
    }
    for (int64_t k = n - there; k < LAGS; k++) to[k] = 0;
}

/* The window that ends at row t, and those a lag and more before it. */
INLINE void compare(const Join *it, int64_t w, int64_t lag, int64_t t, int64_t there, double *restrict far) {
    const int64_t n = it->counts[ROWS], begin = t - lag + 1 - it->windows[w];
    const int64_t from = it->nearest[w] - lag, to = begin < LAGS - 1 ? begin + 1 : LAGS;
    const double endless = __builtin_inf();
    if (it->blocked) {
        const double here = it->blocked[w * n + t], *other = it->blocked_back + w * (n + LAGS) + there;
        for (int k = 0; k < LAGS; k++) far[k] += here + other[k];
    }
    for (int64_t k = 0; k < from && k < LAGS; k++) far[k] = endless;
    for (int64_t k = to; k < LAGS; k++) far[k] = endless;
    const int mutual = t < it->counts[BOTH_WAYS];
    double *later = it->least + w * n + t, *earlier = it->least_back + w * (n + LAGS) + there;
    if (it->lag) {
        int64_t *later_lag = it->lag + w * n + t, *earlier_lag = it->lag_back + w * (n + LAGS) + there;
        for (int k = 0; k < LAGS; k++) {
            if (far[k] < *later) *later = far[k], *later_lag = lag + k;
            if (mutual && far[k] < earlier[k]) earlier[k] = far[k], earlier_lag[k] = lag + k;
        }
        return;
    }
    if (mutual)
        for (int k = 0; k < LAGS; k++) earlier[k] = smaller(far[k], earlier[k]);
    double half[LAGS / 2], quarter[LAGS / 4], eighth[LAGS / 8];
    for (int k = 0; k < LAGS / 2; k++) half[k] = smaller(far[k], far[k + LAGS / 2]);
    for (int k = 0; k < LAGS / 4; k++) quarter[k] = smaller(half[k], half[k + LAGS / 4]);
    for (int k = 0; k < LAGS / 8; k++) eighth[k] = smaller(quarter[k], quarter[k + LAGS / 8]);
    for (int k = 0; k < LAGS / 8; k++) *later = smaller(eighth[k], *later);
}

INLINE void work(const Join *it) {
    const int64_t n = it->counts[ROWS], mask = it->ring - 1;
    double square[LAGS], far[LAGS];
    for (int64_t lag = it->counts[FIRST_LAG]; lag < n; lag += LAGS) {
        for (int k = 0; k < LAGS; k++) it->sums[k] = 0;
        for (int64_t i = 0; i < n - lag; i++) {
            const int64_t t = lag + i, there = n - 1 - i;
            const double *before = it->sums + (i & mask) * LAGS;
            double *now = it->sums + ((i + 1) & mask) * LAGS;
            squares(it, t, there, square);
            for (int k = 0; k < LAGS; k++) now[k] = before[k] + square[k];
            for (int64_t w = 0; w < it->counts[WINDOWS]; w++) {
                if (i + 1 < it->windows[w] || lag + LAGS <= it->nearest[w]) continue;
                const double *start = it->sums + ((i + 1 - it->windows[w]) & mask) * LAGS;
                for (int k = 0; k < LAGS; k++) far[k] = now[k] - start[k];
                compare(it, w, lag, t, there, far);
            }
        }
    }
}

static void work_anywhere(const Join *it) {
    work(it);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void work_on_four(const Join *it) {
    work(it);
}

/* Whether processor and system know AVX2. */
static int four_at_a_time(void) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}
#endif

/* Backwards, with LAGS zeros behind. */
static void turn(const double *from, int64_t lines, int64_t n, double *to) {
    for (int64_t line = 0; line < lines; line++) {
        for (int64_t t = 0; t < n; t++) to[line * (n + LAGS) + n - 1 - t] = from[line * n + t];
        for (int64_t k = 0; k < LAGS; k++) to[line * (n + LAGS) + n + k] = 0;
    }
}

/* The nearer of the two; of equal ones that of the smaller lag. */
static void merge(const Join *it) {
    const int64_t n = it->counts[ROWS];
    for (int64_t w = 0; w < it->counts[WINDOWS]; w++)
        for (int64_t t = 0; t < n; t++) {
            const int64_t here = w * n + t, there = w * (n + LAGS) + n - 1 - t;
            const double other = it->least_back[there];
            if (!(other < it->least[here] || (it->lag && other == it->least[here] && it->lag_back[there] < it->lag[here])))
                continue;
            it->least[here] = other;
            if (it->lag) it->lag[here] = -it->lag_back[there];
        }
}

/* 0, or 1 where there is no memory. */
EXPORT int anomscan_join(const int64_t *counts, const int64_t *windows, const int64_t *nearest, const double *values,
                         const double *blocked, double *least, int64_t *lag) {
    const int64_t n = counts[ROWS], m = counts[WINDOWS], d = counts[VARIABLES];
    const size_t line = (size_t)(n + LAGS);
    int64_t ring = 2;
    for (int64_t w = 0; w < m; w++)
        while (ring <= windows[w] && windows[w] <= n) ring *= 2;
    Join it = {counts, windows, nearest, values, blocked};
    it.ring = ring, it.least = least, it.lag = lag;
    it.back = malloc(sizeof(double) * ((size_t)d * line + 1));
    it.blocked_back = blocked ? malloc(sizeof(double) * ((size_t)m * line + 1)) : NULL;
    it.sums = malloc(sizeof(double) * (size_t)ring * LAGS);
    it.least_back = malloc(sizeof(double) * ((size_t)m * line + 1));
    it.lag_back = lag ? calloc((size_t)m * line + 1, sizeof(int64_t)) : NULL;
    const int fits = it.back && it.sums && it.least_back && (!blocked || it.blocked_back) && (!lag || it.lag_back);
    if (fits) {
        turn(values, d, n, it.back);
        if (blocked) turn(blocked, m, n, it.blocked_back);
        for (int64_t k = 0; k < m * n; k++) least[k] = __builtin_inf();
        for (size_t k = 0; k < (size_t)m * line; k++) it.least_back[k] = __builtin_inf();
        if (lag) memset(lag, 0, sizeof *lag * (size_t)(m * n));
        void (*how)(const Join *) = work_anywhere;
#if defined(__x86_64__)
        if (four_at_a_time()) how = work_on_four;
#endif
        how(&it);
        merge(&it);
    }
    free(it.back), free(it.blocked_back), free(it.sums), free(it.least_back), free(it.lag_back);
    return !fits;
}
