/* Control charts, one series after another: what control_chart/steps.py does for many at once, to the same bits. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { SERIES, SAMPLES, WAVES, MEMORY, FEWEST, SEASON_FEWEST, BLOCK, FORGET_AFTER };
enum { JUMP, SHIFT, UNSEASONAL_SHIFT, SPREAD, EQUAL_LOG, BUDGET, FAR, PRIOR_EXCESS, PRIOR_JUDGED };
/* As in telemetry/baseline.py. */
enum { LEFT_OUT, NORMAL, UNTOLD };

/* As in control_chart/settings.py and season.py. */
static const double MOST = 6.0, MOST_SQUARE = 9.0, SLACK = 1.0, VARIANCE = 2.47, CAP = 1.5, SUSPECT = 0.5;
static const double MAD = 1.482602218505602, PRIOR = 20.0, ALMOST_NONE = 1e-9;
static const double MOST_EXCESS = 4.0, PRIOR_FAR = 2.0, MOST_HEAVY = 2.0;
enum { CALM = 5, LASTING = 7, MOST_TERMS = 8 };

typedef struct {
    double total;
    int64_t calm;
} Sum;

typedef struct {
    double *values;  /* the last normal ones, a ring */
    int64_t *rows;
    double *scratch, *other;
    int64_t seen;
} Normal;

/* The k smallest of n values come first. */
static void partition(double *values, int64_t n, int64_t k) {
    int64_t low = 0, high = n - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot) i++;
            while (values[j] > pivot) j--;
            if (i <= j) {
                double value = values[i];
                values[i++] = values[j];
                values[j--] = value;
            }
        }
        if (k <= j) high = j;
        else if (k >= i) low = i;
        else return;
    }
}

/* The lower middle of n values, which are reordered. */
static double lower_middle(double *values, int64_t n) {
    partition(values, n, (n - 1) / 2);
    return values[(n - 1) / 2];
}

static double median(double *values, int64_t n) {
    double low = lower_middle(values, n), high = low;
    if (n % 2 == 0) {
        high = values[n / 2];
        for (int64_t i = n / 2 + 1; i < n; i++)
            if (values[i] < high) high = values[i];
    }
    return (low + high) / 2;
}

/* All samples so far, the normal ones and the others. */
typedef struct {
    double first, count, sum, squares;
} Overall;

static void count_in(Overall *overall, double value) {
    if (isnan(overall->first)) overall->first = value;
    double from_first = value - overall->first;
    overall->count += 1.0;
    overall->sum += from_first;
    overall->squares += from_first * from_first;
}

static double spread_of(const Overall *overall) {
    double count = overall->count > 1.0 ? overall->count : 1.0;
    double squares = overall->squares - overall->sum * overall->sum / count;
    return sqrt((squares > 0.0 ? squares : 0.0) / count);
}

/* The heights of the waves by least squares, with a level and a trend beside them: Gauss's elimination. */
static void solve(const double *squares, const double *products, int m, double *heights) {
    double a[MOST_TERMS][MOST_TERMS + 1];
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) a[i][j] = squares[i * m + j];
        a[i][i] += i < 2 ? ALMOST_NONE : PRIOR;
        a[i][m] = products[i];
    }
    for (int i = 0; i < m; i++)
        for (int j = i + 1; j < m; j++) {
            double factor = a[j][i] / a[i][i];
            for (int k = i; k <= m; k++) a[j][k] -= factor * a[i][k];
        }
    for (int i = m - 1; i >= 0; i--) {
        for (int k = i + 1; k < m; k++) a[i][m] -= a[i][k] * a[k][m];
        a[i][m] /= a[i][i];
    }
    for (int i = 2; i < m; i++) heights[i - 2] = a[i][m];
}

static double season(const double *heights, const double *waves, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) sum += heights[i] * waves[i];
    return sum;
}

static void add(Normal *normal, int64_t memory, double value, int64_t row) {
    normal->values[normal->seen % memory] = value;
    normal->rows[normal->seen % memory] = row;
    normal->seen++;
}

/* What is normal now: level and scale, and how much deviations last. */
static void look(const Normal *normal, const Overall *overall, const int64_t *counts, const double *heights, const double *waves, double *level,
                 double *scale, double *lasting) {
    int64_t memory = counts[MEMORY], w = counts[WAVES];
    int64_t count = normal->seen < memory ? normal->seen : memory;
    double *values = normal->scratch, *other = normal->other;
    *level = *scale = NAN;
    *lasting = 1.0;
    if (count < counts[FEWEST] || count == 0) return;
    for (int64_t i = 0; i < count; i++)
        values[i] = other[i] = normal->values[i] - season(heights, waves + normal->rows[i] * w, w);
    *level = median(other, count);
    for (int64_t i = 0; i < count; i++) other[i] = fabs(values[i] - *level);
    *scale = MAD * median(other, count);
    if (*scale <= 1e-9 * fabs(*level)) {
        *scale = spread_of(overall);
        if (*scale < 0.01 * fabs(*level)) *scale = 0.01 * fabs(*level);
        if (*scale < 1e-9) *scale = 1e-9;
    }
    if (count <= LASTING) return;
    int64_t oldest = normal->seen > memory ? normal->seen % memory : 0;
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += (values[(i + oldest) % memory] - *level) / *scale;
        other[i] = sum;
    }
    for (int64_t i = 0; i + LASTING < count; i++) other[i] = fabs(other[i + LASTING] - other[i]) / LASTING;
    double wider = lower_middle(other, count - LASTING) * MAD * sqrt((double)LASTING);
    if (wider > 1.0) *lasting = wider;
}

static void step(Sum *sum, double by, double limit) {
    double total = sum->total < CAP * limit ? sum->total : CAP * limit;
    total += by;
    sum->calm = by < 0 ? sum->calm + 1 : 0;
    sum->total = sum->calm >= CALM || total < 0 ? 0.0 : total;
}

/* How heavy the tails are, told by samples that are far off and alone. */
typedef struct {
    int64_t judged, far, near_in_row;
    double excess, pending;
} Tails;

static double heavy_tails(const Tails *tails, const double *limits) {
    double far = (double)tails->far + PRIOR_FAR;
    double share = far / ((double)tails->judged + limits[PRIOR_JUDGED]);
    double slope = (tails->excess + limits[PRIOR_EXCESS]) / far;
    double height = limits[FAR] * pow(share * limits[BUDGET], slope);
    height /= limits[JUMP];
    if (height < 1.0) return 1.0;
    return height < MOST_HEAVY ? height : MOST_HEAVY;
}

static void look_at_tails(Tails *tails, double far) {
    tails->judged++;
    if (far > 1) {
        tails->pending = tails->near_in_row >= LASTING ? log(far < MOST_EXCESS ? far : MOST_EXCESS) : 0.0;
        tails->near_in_row = 0;
        return;
    }
    if (tails->pending > 0) {
        tails->far++;
        tails->excess += tails->pending;
    }
    tails->pending = 0.0;
    tails->near_in_row++;
}

static int may_enter(const uint8_t *usable, const uint8_t *known, int64_t t) {
    return usable[t] && (!known || known[t] != LEFT_OUT);
}

static void chart_one(const int64_t *counts, const double *limits, const double *raw, const double *values,
                      const double *years, const double *waves, const uint8_t *usable, const uint8_t *known,
                      double *score, double *level, double *scale, int8_t *test, Normal *normal) {
    int64_t n = counts[SAMPLES], w = counts[WAVES], memory = counts[MEMORY];
    int m = (int)w + 2;
    double squares[MOST_TERMS * MOST_TERMS] = {0}, products[MOST_TERMS] = {0}, heights[MOST_TERMS];
    Sum up = {0}, down = {0}, wide = {0};
    Overall overall = {NAN, 0.0, 0.0, 0.0};
    Tails tails = {0, 0, LASTING, 0.0, 0.0};
    double before = 0.0, last = NAN;
    int64_t equal = 0, pairs = 0, equal_pairs = 0, flagged_in_row = 0;
    normal->seen = 0;
    for (int64_t start = 0; start < n; start += counts[BLOCK]) {
        int64_t stop = start + counts[BLOCK] < n ? start + counts[BLOCK] : n;
        int seasonal = squares[0] >= (double)counts[SEASON_FEWEST] && 4 * equal_pairs <= pairs;
        memset(heights, 0, sizeof heights);
        if (seasonal) solve(squares, products, m, heights);
        double middle, one, lasting;
        look(normal, &overall, counts, heights, waves, &middle, &one, &lasting);
        double limit = seasonal ? limits[SHIFT] : limits[UNSEASONAL_SHIFT];
        double share = ((double)equal_pairs + 0.5) / ((double)pairs + 1.0);
        double equal_limit = limits[EQUAL_LOG] / -log(share < 0.99 ? share : 0.99);
        if (equal_limit < 3.5) equal_limit = 3.5;
        double heavy = heavy_tails(&tails, limits);
        double jump_limit = limits[JUMP] * heavy, wide_limit = limits[SPREAD] * heavy;
        double more_squares[MOST_TERMS * MOST_TERMS] = {0}, more_products[MOST_TERMS] = {0};
        for (int64_t t = start; t < stop; t++) {
            level[t] = middle + season(heights, waves + t * w, w);
            scale[t] = one;
            double z = usable[t] ? (values[t] - level[t]) / one : NAN;
            int on = isfinite(z), which = 0, flagged = 0;
            double jump = on ? fabs(z) / jump_limit : 0.0;
            if (on) {
                look_at_tails(&tails, fabs(z) / limits[FAR]);
                double bounded = z / lasting;
                bounded = bounded < -MOST ? -MOST : bounded > MOST ? MOST : bounded;
                step(&up, bounded - SLACK, limit);
                step(&down, -bounded - SLACK, limit);
                if (!(jump > 1)) {
                    double square = (z - before) * (z - before) / 2;
                    step(&wide, (square < MOST_SQUARE ? square : MOST_SQUARE) - VARIANCE, wide_limit);
                    before = z;
                }
            }
            double shift = (up.total > down.total ? up.total : down.total) / limit, spread = wide.total / wide_limit;
            if (usable[t]) {
                count_in(&overall, values[t]);
                int same = raw[t] == last;
                equal = same ? equal + 1 : 0;
                last = raw[t];
                if ((double)equal <= equal_limit) {
                    pairs++;
                    equal_pairs += same;
                }
            }
            score[t] = NAN;
            if (on) {
                double tests[] = {jump, shift, spread, (double)equal / equal_limit};
                for (int i = 1; i < 4; i++)
                    if (tests[i] > tests[which]) which = i;
                score[t] = tests[which++];
                flagged = score[t] > 1;
            }
            test[t] = (int8_t)which;
            int told = known ? known[t] : UNTOLD;
            int clean = usable[t] &&
                        (told != UNTOLD ? told : !flagged && (!on || (shift < SUSPECT && spread < SUSPECT)));
            if (clean) {
                double terms[MOST_TERMS] = {1.0, years[t]};
                for (int64_t i = 0; i < w; i++) terms[i + 2] = waves[t * w + i];
                for (int i = 0; i < m; i++) {
                    for (int j = 0; j < m; j++) more_squares[i * m + j] += terms[i] * terms[j];
                    more_products[i] += terms[i] * values[t];
                }
                add(normal, memory, values[t], t);
            }
            if (on && told != LEFT_OUT) flagged_in_row = flagged && told != NORMAL ? flagged_in_row + 1 : 0;
        }
        for (int i = 0; i < m * m; i++) squares[i] += more_squares[i];
        for (int i = 0; i < m; i++) products[i] += more_products[i];
        if (counts[FORGET_AFTER] && flagged_in_row >= counts[FORGET_AFTER]) {
            /* The flagged ones are the new normal. */
            int64_t first = stop, left = counts[FORGET_AFTER];
            while (first > 0 && left > 0) left -= may_enter(usable, known, --first);
            normal->seen = 0;
            for (int64_t t = first; t < stop; t++)
                if (may_enter(usable, known, t)) add(normal, memory, values[t], t);
            if (normal->seen > memory) {
                /* Oldest first, as a ring that has just been filled. */
                int64_t seen = 0, skip = normal->seen - memory;
                for (int64_t t = first; t < stop; t++)
                    if (may_enter(usable, known, t) && skip-- <= 0) {
                        normal->values[seen] = values[t];
                        normal->rows[seen++] = t;
                    }
                normal->seen = memory;
            }
            up.total = down.total = wide.total = 0.0;
            flagged_in_row = 0;
        }
    }
}

/* 0, or 1 where there is no memory. */
EXPORT int anomscan_chart(const int64_t *counts, const double *limits, const double *raw, const double *values,
                          const double *years, const double *waves, const uint8_t *usable, const uint8_t *known,
                          double *score, double *level, double *scale, int8_t *test) {
    int64_t n = counts[SAMPLES], w = counts[WAVES], memory = counts[MEMORY];
    Normal normal = {malloc(sizeof(double) * memory), malloc(sizeof(int64_t) * memory), malloc(sizeof(double) * memory),
                     malloc(sizeof(double) * memory), 0};
    int fits = w + 2 <= MOST_TERMS && normal.values && normal.rows && normal.scratch && normal.other;
    for (int64_t i = 0; fits && i < counts[SERIES]; i++)
        chart_one(counts, limits, raw + i * n, values + i * n, years + i * n, waves + i * n * w, usable + i * n,
                  known ? known + i * n : NULL, score + i * n, level + i * n, scale + i * n, test + i * n, &normal);
    free(normal.values);
    free(normal.rows);
    free(normal.scratch);
    free(normal.other);
    return !fits;
}
