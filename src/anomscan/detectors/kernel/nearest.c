/* How far the last rows of a series lie from the most similar stretch before them: nearest/steps.py, to the same bits. */
#include <stdlib.h>

#include "lanes.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { ROWS, TRUSTED, MOST_LAGS, HALVES };

/* Lags that are worked on together: all that belongs to them stays in the first-level cache. */
enum { BLOCK = 256, MOST_HALVES = 8 };

/* A float that is not negative, as an integer: they are in the same order, and compilers know the least of many. */
typedef int32_t order;

INLINE order order_of(float value) {
    order bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE float value_of(order bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rows and places are counted backwards, so that those of growing lags lie one behind the other. */
typedef struct {
    const int64_t *counts, *first, *fewest; /* of each half-life: the first lag, and the fewest rows before a match */
    const float *keep, *values;
    float inherit, missing;
    float *back, *distances;
    order *strange, *near_to;
    int32_t *lag;
} Nearest;

INLINE int64_t min_of(int64_t a, int64_t b) {
    return a < b ? a : b;
}

INLINE int64_t max_of(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Squared differences of a value to earlier ones; a missing one counts as a random one. */
INLINE void squares(float value, const float *earlier, int64_t count, float missing, float *to) {
    for (int64_t k = 0; k < count; k++) {
        float off = value - earlier[k], square = off * off;
        to[k] = square == square ? square : missing;
    }
}

/* Distances go on by a row. Gives the least of count ones, of which none is nearer than its place is strange. */
INLINE order nearest(float *restrict far, const float *restrict square, const order *restrict strange, int64_t count,
                     float keep, order least) {
    for (int64_t k = 0; k < count; k++) {
        float now = keep * far[k] + square[k];
        far[k] = now;
        order bounded = order_of(now);
        bounded = bounded > strange[k] ? bounded : strange[k];
        least = bounded < least ? bounded : least;
    }
    return least;
}

/* The same in the trusted part, where each of the two is near to the other. */
INLINE order mutual(float *restrict far, const float *restrict square, order *restrict others, int64_t count, float keep,
                    order least) {
    for (int64_t k = 0; k < count; k++) {
        float now = keep * far[k] + square[k];
        far[k] = now;
        order bounded = order_of(now);
        least = bounded < least ? bounded : least;
        others[k] = bounded < others[k] ? bounded : others[k];
    }
    return least;
}

INLINE void decay(float *far, const float *square, int64_t count, float keep) {
    for (int64_t k = 0; k < count; k++) far[k] = keep * far[k] + square[k];
}

/* Distances at some lags go on to row t; what is found nearer than so far takes its place. */
INLINE void look(const Nearest *it, int64_t t, int64_t begin, int64_t end, order *found, int64_t *place) {
    const int64_t n = it->counts[ROWS], here = n - 1 - t;
    float square[BLOCK];
    for (int64_t start = begin; start < end; start += BLOCK) {
        const int64_t stop = min_of(start + BLOCK, end);
        squares(it->values[t], it->back + here + start, stop - start, it->missing, square);
        for (int64_t i = 0; i < it->counts[HALVES]; i++) {
            float *far = it->distances + i * n, keep = it->keep[i];
            /* What is too near, or has too little before it, is no match. */
            const int64_t from = min_of(max_of(start, it->first[i]), stop);
            const int64_t to = max_of(min_of(stop, t - it->fewest[i] + 1), from);
            decay(far + start, square, from - start, keep);
            decay(far + to, square + (to - start), stop - to, keep);
            const float *off = square + (from - start);
            const int64_t there = i * n + here + from;
            order least = t < it->counts[TRUSTED] ? mutual(far + from, off, it->near_to + there, to - from, keep, found[i])
                                                  : nearest(far + from, off, it->strange + there, to - from, keep, found[i]);
            if (least < found[i]) found[i] = least, place[i] = from;
        }
    }
}

INLINE void work(const Nearest *it) {
    const int64_t n = it->counts[ROWS], trusted = it->counts[TRUSTED], lags = it->counts[MOST_LAGS];
    order found[MOST_HALVES];
    int64_t place[MOST_HALVES];
    const order endless = order_of(__builtin_inff());
    for (int64_t t = 0; t < n; t++) {
        const int64_t here = n - 1 - t, reach = min_of(t, lags);
        const int known = it->values[t] == it->values[t];
        for (int64_t i = 0; i < it->counts[HALVES]; i++) found[i] = endless, place[i] = 0;
        if (known) { /* else distances stay as they are */
            look(it, t, 1, reach + 1, found, place);
            look(it, t, max_of(reach, t - trusted) + 1, t + 1, found, place);
        }
        for (int64_t i = 0; i < it->counts[HALVES]; i++) {
            order *near_to = it->near_to + i * n + here, *strange = it->strange + i * n + here;
            int64_t k = place[i];
            if (t < trusted) {
                if (found[i] < *near_to) *near_to = found[i];
                if (!known) *strange = endless;
                k = 0;
            } else {
                *near_to = found[i];
                *strange = found[i] == endless ? endless : order_of(it->inherit * value_of(found[i]));
                const float *far = it->distances + i * n;
                while (k && (order_of(far[k]) > strange[k] ? order_of(far[k]) : strange[k]) != found[i]) k++;
            }
            it->lag[i * n + t] = (int32_t)k;
        }
    }
}

static void work_anywhere(const Nearest *it) {
    work(it);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void work_on_eight(const Nearest *it) {
    work(it);
}

/* Whether processor and system know AVX2. */
static int eight_at_a_time(void) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}
#endif

/* 0, or 1 where there is no memory. */
EXPORT int anomscan_nearest(const int64_t *counts, const int64_t *first, const int64_t *fewest, const float *keep,
                            float inherit, float missing, const float *values, float *least, int32_t *lag) {
    const size_t n = (size_t)counts[ROWS], halves = (size_t)counts[HALVES];
    float *values_back = malloc(sizeof(float) * (n + 1)), *distances = calloc(halves * n + 1, sizeof(float));
    order *strange = calloc(halves * n + 1, sizeof(order)), *near_to = malloc(sizeof(order) * (halves * n + 1));
    const int fits = halves <= MOST_HALVES && values_back && distances && strange && near_to;
    if (fits) {
        for (size_t t = 0; t < n; t++) values_back[n - 1 - t] = values[t];
        for (size_t i = 0; i < halves * n; i++) near_to[i] = order_of(__builtin_inff());
        Nearest it = {counts, first, fewest, keep, values, inherit, missing, values_back, distances, strange, near_to, lag};
        void (*how)(const Nearest *) = work_anywhere;
#if defined(__x86_64__)
        if (eight_at_a_time()) how = work_on_eight;
#endif
        how(&it);
        for (size_t i = 0; i < halves; i++)
            for (size_t t = 0; t < n; t++) least[i * n + t] = value_of(near_to[i * n + n - 1 - t]);
    }
    free(values_back), free(distances), free(strange), free(near_to);
    return !fits;
}
