/* Four floats at a time, on any processor that gcc or clang knows. */

#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

typedef float quad __attribute__((vector_size(16)));
typedef float loose __attribute__((vector_size(16), aligned(4), may_alias));
typedef double pair __attribute__((vector_size(16), may_alias));
typedef int32_t bits __attribute__((vector_size(16)));

INLINE quad clip(quad v, quad low, quad high) {
#if defined(__SSE2__)
    return (quad)_mm_min_ps(_mm_max_ps((__m128)v, (__m128)low), (__m128)high);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    return (quad)vminq_f32(vmaxq_f32((float32x4_t)v, (float32x4_t)low), (float32x4_t)high);
#else
    for (int k = 0; k < 4; k++) v[k] = v[k] < low[k] ? low[k] : v[k] > high[k] ? high[k] : v[k];
    return v;
#endif
}

INLINE quad least(quad a, quad b) {
    bits less = (bits)(a < b);
    return (quad)((less & (bits)a) | (~less & (bits)b));
}

INLINE quad most(quad a, quad b) {
    bits more = (bits)(a > b);
    return (quad)((more & (bits)a) | (~more & (bits)b));
}

INLINE quad gap(quad v, quad low, quad high) {
    return (quad)((bits)(clip(v, low, high) - v) & 0x7fffffff);
}

INLINE pair lower(quad v) {
#if defined(__SSE2__)
    return (pair)_mm_cvtps_pd((__m128)v);
#else
    return (pair){v[0], v[1]};
#endif
}

INLINE pair upper(quad v) {
#if defined(__SSE2__)
    return (pair)_mm_cvtps_pd(_mm_movehl_ps((__m128)v, (__m128)v));
#else
    return (pair){v[2], v[3]};
#endif
}

INLINE double sum(pair v) {
    return v[0] + v[1];
}

/* How far x is outside a box in all: two halves, still to be added. */
INLINE pair halves_outside(const quad *x, const quad *box, int64_t groups) {
    pair a = {0, 0}, b = {0, 0};
    for (int64_t g = 0; g < groups; g++) {
        quad apart = gap(x[g], box[2 * g], box[2 * g + 1]);
        a += lower(apart);
        b += upper(apart);
    }
    return a + b;
}

INLINE double extent(const quad *box, int64_t groups) {
    pair a = {0, 0}, b = {0, 0};
    for (int64_t g = 0; g < groups; g++) {
        a += lower(box[2 * g + 1]) - lower(box[2 * g]);
        b += upper(box[2 * g + 1]) - upper(box[2 * g]);
    }
    return sum(a + b);
}

INLINE double sum_of(const pair *values, int64_t groups) {
    pair a = {0, 0}, b = {0, 0};
    for (int64_t g = 0; g < groups; g++) {
        a += values[2 * g];
        b += values[2 * g + 1];
    }
    return sum(a + b);
}

/* A row of d floats as quads, filled up with zeros. The array goes on for left floats from the row on. */
INLINE void fill(quad *to, int64_t step, const float *row, int64_t dimension, int64_t groups, int64_t left) {
    float tail[4] = {0, 0, 0, 0};
    int64_t rest = dimension - 4 * (groups - 1);
    for (int64_t g = 0; g + 1 < groups; g++) to[g * step] = *(const loose *)(row + 4 * g);
    row += 4 * (groups - 1);
    if (left < 4 * groups || rest == 4) {
        memcpy(tail, row, (size_t)rest * sizeof *row);
        memcpy(to + (groups - 1) * step, tail, sizeof tail);
    } else {
        /* The next rows begin within these 16 bytes: a load and a mask are quicker than float after float. */
        bits keep = {-1, rest > 1 ? -1 : 0, rest > 2 ? -1 : 0, 0};
        to[(groups - 1) * step] = (quad)((bits)(quad)*(const loose *)row & keep);
    }
}
