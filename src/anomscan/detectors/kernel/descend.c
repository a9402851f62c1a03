/* The forest's score and attribution. Plain arrays in and out; __init__.py calls them by ctypes.

   A block of points goes down a tree together. A node takes the list of the points that reach it, works on them one
   after another while its box stays in registers, and deals the list out to its two children. So there is no chain of
   dependent loads to wait for, no branch that depends on a point, and nothing to pack beforehand.

   Every sum is taken in float64 in the order in which NumPy's code takes it (trees.column_sum), and no multiplication
   is fused with an addition (-ffp-contract=off): both give the same bits, whatever the batch. */

#include <stdlib.h>

#include "lanes.h"

#define ALIGNED(bytes) (((size_t)(bytes) + 63) & ~(size_t)63)

/* As __init__.py lays it out; the arrays are those of trees.Trees. logs[k] is log2(k + 1). */
typedef struct {
    const int32_t *roots, *left, *axis, *mass;
    const float *cut, *low, *high;
    const double *logs;
    int64_t trees, nodes, dimension;
} Forest;

/* The points of list[start .. start + count) are still to be taken down from a node. */
typedef struct {
    int32_t node, depth;
    int64_t start, count;
} Task;

/* The node at hand. Its box is stored as quads: low of the dimensions 0..3, high of them, low of 4..7, ... */
typedef struct {
    const quad *box;
    int64_t axis;
    float cut;
    double extent, share;
} Node;

INLINE void fill_box(quad *box, const Forest *f, int64_t node, int64_t groups) {
    const int64_t row = node * f->dimension, left = f->nodes * f->dimension - row;
    fill(box, 2, f->low + row, f->dimension, groups, left);
    fill(box + 1, 2, f->high + row, f->dimension, groups, left);
}

typedef struct {
    const Forest *forest;
    int64_t size;
    quad *x, *box;         /* the points; the box of the node at hand */
    pair *state;           /* of each point: its weight and, for the score, the sum so far */
    int32_t *list, *aside; /* the points in the order of their nodes; room for those that go right */
    Task *tasks;           /* no more than points: each waiting task has points of its own */
    double *total;
    pair *shares;          /* for the attribution, of each point in this tree */
    quad *merged;          /* on the way up: the box of the siblings so far, and the next sibling's */
    int32_t *path;         /* the nodes from the root to the node at hand */
} Block;

INLINE int64_t deal(int32_t *list, int32_t *aside, int64_t k, int64_t lefts, int32_t point, const quad *x, const Node *at) {
    list[lefts] = point;
    aside[k - lefts] = point;
    return lefts + (((const float *)x)[at->axis] <= at->cut);
}

INLINE int64_t score_node(const Block *b, const Node *at, int32_t *list, int64_t count, int64_t groups) {
    const pair whole = {at->extent, at->extent}, share = {at->share, at->share};
    int64_t lefts = 0, k = 0;
    for (; k + 1 < count; k += 2) {
        int32_t i = list[k], j = list[k + 1];
        const quad *p = b->x + i * groups, *q = b->x + j * groups;
        pair a = halves_outside(p, at->box, groups), c = halves_outside(q, at->box, groups);
        pair outside = (pair){a[0], c[0]} + (pair){a[1], c[1]};
        pair one = b->state[i], other = b->state[j];
        pair weight = {one[0], other[0]}, so_far = {one[1], other[1]};
        pair cut_off = weight * (outside / (whole + outside));
        so_far += cut_off * share;
        weight -= cut_off;
        b->state[i] = (pair){weight[0], so_far[0]};
        b->state[j] = (pair){weight[1], so_far[1]};
        lefts = deal(list, b->aside, k, lefts, i, p, at);
        lefts = deal(list, b->aside, k + 1, lefts, j, q, at);
    }
    if (k < count) {
        int32_t i = list[k];
        const quad *p = b->x + i * groups;
        double outside = sum(halves_outside(p, at->box, groups));
        pair state = b->state[i];
        double cut_off = state[0] * (outside / (at->extent + outside));
        b->state[i] = (pair){state[0] - cut_off, state[1] + cut_off * at->share};
        lefts = deal(list, b->aside, k, lefts, i, p, at);
    }
    return lefts;
}

INLINE void score_leaf(const Block *b, const Node *at, double seen, const int32_t *list, int64_t count, int64_t groups) {
    for (int64_t k = 0; k < count; k++) {
        int32_t i = list[k];
        const quad *p = b->x + i * groups;
        bits same = (bits)(p[0] == at->box[0]);
        for (int64_t g = 1; g < groups; g++) same &= (bits)(p[g] == at->box[2 * g]);
        pair state = b->state[i];
        b->total[i] += state[1] + state[0] * (same[0] & same[1] & same[2] & same[3] ? seen : at->share);
    }
}

/* The part of each point's score that this node adds, dimension by dimension; a leaf cuts off all that is left. */
INLINE int64_t attribute_node(const Block *b, const Node *at, int32_t *list, int64_t count, int64_t groups) {
    int64_t lefts = 0;
    for (int64_t k = 0; k < count; k++) {
        int32_t i = list[k];
        const quad *p = b->x + i * groups;
        pair *shares = b->shares + i * 2 * groups;
        double outside = sum(halves_outside(p, at->box, groups)), weight = b->state[i][0];
        double whole = at->extent + outside, part = weight / whole * at->share;
        for (int64_t g = 0; g < groups; g++) {
            quad apart = gap(p[g], at->box[2 * g], at->box[2 * g + 1]);
            shares[2 * g] += part * lower(apart);
            shares[2 * g + 1] += part * upper(apart);
        }
        b->state[i] = (pair){weight - weight * (outside / whole), 0};
        lefts = deal(list, b->aside, k, lefts, i, p, at);
    }
    return lefts;
}

/* The shares of a point that equals its leaf: from the leaf up, by the siblings' boxes merged. */
static void climb(const Block *b, const quad *x, pair *shares, int32_t depth, double score, int64_t groups) {
    const Forest *f = b->forest;
    quad *merged = b->merged, *sibling = b->merged + 2 * groups;
    memset(shares, 0, (size_t)(2 * groups) * sizeof *shares);
    if (depth == 0) {
        for (int64_t j = 0; j < f->dimension; j++) ((double *)shares)[j] = score / (double)f->dimension;
        return;
    }
    for (int32_t above = depth; above > 0; above--) {
        fill_box(above == depth ? merged : sibling, f, 2 * f->left[b->path[above - 1]] + 1 - b->path[above], groups);
        if (above < depth) {
            for (int64_t g = 0; g < groups; g++) {
                merged[2 * g] = least(merged[2 * g], sibling[2 * g]);
                merged[2 * g + 1] = most(merged[2 * g + 1], sibling[2 * g + 1]);
            }
        }
        double outside = sum(halves_outside(x, merged, groups)), whole = outside + extent(merged, groups);
        double kept = 1 - outside / whole, over = whole * above;
        for (int64_t g = 0; g < groups; g++) {
            quad apart = gap(x[g], merged[2 * g], merged[2 * g + 1]);
            shares[2 * g] = kept * shares[2 * g] + lower(apart) / over;
            shares[2 * g + 1] = kept * shares[2 * g + 1] + upper(apart) / over;
        }
    }
    double scaled = score / sum_of(shares, groups);
    for (int64_t g = 0; g < 2 * groups; g++) shares[g] *= scaled;
}

INLINE void attribute_leaf(const Block *b, const Node *at, int32_t depth, double seen, int32_t *list, int64_t count, int64_t groups) {
    const int64_t dimension = b->forest->dimension;
    for (int64_t k = 0; k < count; k++) {
        int32_t i = list[k];
        const quad *p = b->x + i * groups;
        pair *shares = b->shares + i * 2 * groups;
        if (sum(halves_outside(p, at->box, groups)) == 0) {
            climb(b, p, shares, depth, seen, groups);
        } else {
            attribute_node(b, at, list + k, 1, groups);
        }
        for (int64_t j = 0; j < dimension; j++) b->total[i * dimension + j] += ((const double *)shares)[j];
    }
}

INLINE void descend(const Block *b, int32_t root, int attribute, int64_t groups) {
    const Forest *f = b->forest;
    const double tree_mass = f->mass[root];
    for (int64_t i = 0; i < b->size; i++) {
        b->state[i] = (pair){1, 0};
        b->list[i] = (int32_t)i;
    }
    if (attribute) memset(b->shares, 0, (size_t)(b->size * 2 * groups) * sizeof *b->shares);
    int64_t tasks = 0;
    b->tasks[tasks++] = (Task){root, 0, 0, b->size};
    while (tasks) {
        const Task task = b->tasks[--tasks];
        int32_t *list = b->list + task.start;
        fill_box(b->box, f, task.node, groups);
        Node at = {b->box, f->axis[task.node], f->cut[task.node], 0, 1.0 / (task.depth + 1)};
        if (attribute) b->path[task.depth] = task.node;
        const int32_t left = f->left[task.node];
        if (left == 0) {
            /* Where a point equals the leaf, this stands in for the weight's last share. */
            int32_t mass = f->mass[task.node];
            double seen = (1 - mass / (2 * tree_mass)) / (task.depth + f->logs[mass]);
            if (attribute) attribute_leaf(b, &at, task.depth, seen, list, task.count, groups);
            else score_leaf(b, &at, seen, list, task.count, groups);
            continue;
        }
        at.extent = extent(b->box, groups);
        int64_t lefts = attribute ? attribute_node(b, &at, list, task.count, groups)
                                  : score_node(b, &at, list, task.count, groups);
        int64_t rights = task.count - lefts;
        memcpy(list + lefts, b->aside, (size_t)rights * sizeof *list);
        if (rights) b->tasks[tasks++] = (Task){left + 1, task.depth + 1, task.start + lefts, rights};
        if (lefts) b->tasks[tasks++] = (Task){left, task.depth + 1, task.start, lefts};
    }
}

/* The number of quads is fixed where points are small, so that a node's box can stay in registers. */
#define DESCEND(groups) \
    for (int64_t t = 0; t < f->trees; t++) descend(&b, f->roots[t], attribute, groups)

INLINE int run(const Forest *f, const float *points, int64_t number, double *total, int64_t block, int attribute) {
    const int64_t groups = (f->dimension + 3) / 4, most_points = number < block ? number : block;
    const int64_t columns = attribute ? f->dimension : 1;
    const size_t point = ALIGNED(most_points * groups * (int64_t)sizeof(quad)), list = ALIGNED((most_points + 1) * 4);
    const size_t sizes[] = {
        point, ALIGNED(2 * groups * 16), ALIGNED(most_points * 16), list, list,
        ALIGNED((most_points + 1) * (int64_t)sizeof(Task)),
        attribute ? 4 * point : 0,
        attribute ? ALIGNED(4 * groups * 16) : 0,
        attribute ? ALIGNED((int64_t)f->mass[f->roots[0]] * 4) : 0,
    };
    size_t all = 64;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) all += sizes[k];
    char *memory = malloc(all), *next = memory + 64 - (uintptr_t)memory % 64;
    if (!memory) return 1;
    void *parts[sizeof sizes / sizeof *sizes];
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; next += sizes[k++]) parts[k] = next;
    Block b = {
        .forest = f, .x = parts[0], .box = parts[1], .state = parts[2], .list = parts[3], .aside = parts[4],
        .tasks = parts[5], .shares = parts[6], .merged = parts[7], .path = parts[8],
    };
    for (int64_t start = 0; start < number; start += block) {
        b.size = number - start < block ? number - start : block;
        b.total = total + start * columns;
        for (int64_t i = 0; i < b.size; i++) {
            const int64_t row = (start + i) * f->dimension;
            fill(b.x + i * groups, 1, points + row, f->dimension, groups, number * f->dimension - row);
        }
        if (groups == 1) DESCEND(1);
        else if (groups == 2) DESCEND(2);
        else if (groups == 4) DESCEND(4);
        else DESCEND(groups);
    }
    free(memory);
    return 0;
}

/* total (n,) or (n, d) is zero at first; the unscaled sum over the trees is added to it. 1 where memory is short. */
EXPORT int anomscan_score(const Forest *f, const float *points, int64_t number, double *total, int64_t block) {
    return run(f, points, number, total, block, 0);
}

EXPORT int anomscan_attribution(const Forest *f, const float *points, int64_t number, double *total, int64_t block) {
    return run(f, points, number, total, block, 1);
}
