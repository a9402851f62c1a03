/* Growing, one level of all trees at a time (see growing.py), and what this library is. */

#include "lanes.h"

/* The bounding boxes of nodes: node k has the points rows[starts[k] .. starts[k + 1]). */
EXPORT void anomscan_bound(const float *points, int64_t dimension, const int32_t *rows, const int64_t *starts,
                           int64_t nodes, float *low, float *high) {
    for (int64_t k = 0; k < nodes; k++, low += dimension, high += dimension) {
        const float *x = points + rows[starts[k]] * dimension;
        memcpy(low, x, (size_t)dimension * sizeof *low);
        memcpy(high, x, (size_t)dimension * sizeof *high);
        for (int64_t i = starts[k] + 1; i < starts[k + 1]; i++) {
            x = points + rows[i] * dimension;
            for (int64_t j = 0; j < dimension; j++) {
                low[j] = x[j] < low[j] ? x[j] : low[j];
                high[j] = x[j] > high[j] ? x[j] : high[j];
            }
        }
    }
}

/* Deal the rows of each splitting node out to its children, in order, and leave out those of leaves.
   below begins with 0; two ends are appended for each split. */
EXPORT void anomscan_divide(const float *points, int64_t dimension, const int32_t *rows, const int64_t *starts,
                            int64_t nodes, const uint8_t *splits, const int32_t *axis, const float *cut,
                            int32_t *rows_below, int64_t *below, int32_t *aside) {
    int64_t end = 0;
    for (int64_t k = 0; k < nodes; k++) {
        if (!splits[k]) continue;
        int64_t lefts = 0, count = starts[k + 1] - starts[k];
        for (int64_t i = 0; i < count; i++) {
            int32_t row = rows[starts[k] + i];
            rows_below[end + lefts] = row;
            aside[i - lefts] = row;
            lefts += points[row * dimension + axis[k]] <= cut[k];
        }
        memcpy(rows_below + end + lefts, aside, (size_t)(count - lefts) * sizeof *aside);
        *++below = end + lefts;
        *++below = end += count;
    }
}

#ifndef KERNEL_SOURCE
#define KERNEL_SOURCE "unknown"
#endif

/* The SHA-256 of this file: a kernel compiled from another state of it is not used. */
EXPORT const char *anomscan_source(void) {
    return KERNEL_SOURCE;
}

EXPORT const char *anomscan_compiler(void) {
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}
