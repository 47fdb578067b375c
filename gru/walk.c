/* The walk of gru/bptt.py, compiled: all steps of one recurrence forward, and back through time, in one call each.

   The equations, names and layouts are those of bptt.py, whose text derives them:

       r, z = sigmoid(W x + b + U h)
       n    = tanh(W_n x + b_in + r * q),  q = U_n h + b_hn       reset after
       n    = tanh(W_n x + b_in + U_n p + b_hn),  p = r * h       reset before
       h'   = n + z * (h - n)

   Nothing is computed here that the Python walk does not compute; what is saved is the call of an operator for each
   product and each gate of each step, which is most of the time where states are small.

   Layout. A row is one sample at one step: four blocks q (or p), r, z, n, each padded to P numbers, the next multiple
   of a vector's LANES, so that no loop has a remainder. Padding holds zeros wherever a product reads it. Arrays of the
   caller are contiguous and not padded. The file is compiled twice by including itself, for float and for double. */

#ifndef REAL

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Of a product ROWS rows are computed together, and COLUMNS vectors beside each other: their sums stay in registers. */
#ifdef __AVX512F__
#define BYTES 64
#define ROWS 8
#define RUNS __builtin_cpu_supports("avx512f")
#else
#define BYTES 32
#define ROWS 4
#define RUNS 1
#endif
#define COLUMNS 3
#define CHUNK 256 /* rows whose deltas wait in a cache for their products */

int walk_version(void) { return RUNS ? 1 : 0; } /* for _walk.py: one more when functions change; 0: other processor */

#define JOIN(a, b) a##_##b
#define NAMED(a, b) JOIN(a, b)
#define NAME(a) NAMED(a, REAL)

#define REAL float
#define WHOLE int32_t
#define MANTISSA 23
#define TERMS 8
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define LARGEST 87.0f
#include "walk.c"
#undef REAL
#undef WHOLE
#undef MANTISSA
#undef TERMS
#undef LN2_HIGH
#undef LN2_LOW
#undef LARGEST

#define REAL double
#define WHOLE int64_t
#define MANTISSA 52
#define TERMS 14
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#define LARGEST 708.0
#include "walk.c"

#else

#define LANES ((long)(BYTES / sizeof(REAL)))

typedef REAL NAME(vector) __attribute__((vector_size(BYTES)));
typedef WHOLE NAME(integers) __attribute__((vector_size(BYTES)));
#define vector NAME(vector)
#define integers NAME(integers)

static inline vector NAME(load)(const REAL *from) {
    vector v;
    memcpy(&v, from, BYTES);
    return v;
}

static inline void NAME(store)(REAL *to, vector v) { memcpy(to, &v, BYTES); }

static inline vector NAME(splat)(REAL a) {
    vector v = {0};
    return v + a;
}

static inline vector NAME(where)(integers is, vector a, vector b) {
    return (vector)((is & (integers)a) | (~is & (integers)b));
}

#define load NAME(load)
#define store NAME(store)

/* e^x - 1 for |x| <= LARGEST, exact to a few units in the last place, also near 0: x = k ln 2 + s with |s| < 0.35, and
   e^x - 1 = 2^k (e^s - 1) + (2^k - 1), e^s - 1 by its Taylor series. NaN stays NaN. */
static inline vector NAME(expm1)(vector x) {
    static const double one_over_factorial[] = {
        1., 1., 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800,
        1. / 39916800, 1. / 479001600, 1. / 6227020800, 1. / 87178291200};
    const REAL rounding = (REAL)1.5 * ((WHOLE)1 << MANTISSA); /* adding it rounds to a whole number, in the low bits */
    vector shifted = x * (REAL)1.4426950408889634 + rounding;
    vector k = shifted - rounding;
    vector s = (x - k * LN2_HIGH) - k * LN2_LOW;
    vector series = NAME(splat)((REAL)one_over_factorial[TERMS]);
    for (int term = TERMS - 1; term > 1; term--) series = series * s + (REAL)one_over_factorial[term];
    vector small = s + s * s * series;
    const union { REAL real; WHOLE bits; } zero = {rounding};
    const WHOLE bias = sizeof(REAL) == 4 ? 127 : 1023;
    integers exponent = ((integers)shifted - zero.bits + bias) << MANTISSA;
    vector power = (vector)exponent; /* 2^k */
    return power * small + (power - 1);
}

static inline vector NAME(bounded)(vector x) { /* not below -LARGEST; NaN is not, and stays */
    return NAME(where)((integers)(x < -LARGEST), NAME(splat)(-LARGEST), x);
}

static inline vector NAME(sigmoid)(vector a) {
    vector open = 1 / (2 + NAME(expm1)(NAME(bounded)(-a)));
    return (vector)((integers)open & ~(integers)(a < -LARGEST)); /* shut that far it is 0, and open means nothing */
}

static inline vector NAME(tanh)(vector a) {
    integers sign = (integers)a & (integers)-NAME(splat)(0);
    vector m = NAME(expm1)(NAME(bounded)(-2 * (vector)((integers)a ^ sign))); /* e^(-2|a|) - 1, exact also near 0 */
    return (vector)((integers)((0 - m) / (2 + m)) | sign);
}

/* The smallest tile: a sum cannot go on before its last addition is done, so four of them take turns. */
static inline void NAME(smallest)(long K, const REAL *A, long A_column, const REAL *M, long M_row, const REAL *start,
                                  REAL *out) {
    vector sum[4] = {{0}};
    long k = 0;
    for (; k + 4 <= K; k += 4)
        for (int i = 0; i < 4; i++) sum[i] += A[(k + i) * A_column] * load(M + (k + i) * M_row);
    for (; k < K; k++) sum[0] += A[k * A_column] * load(M + k * M_row);
    store(out, load(start) + ((sum[0] + sum[1]) + (sum[2] + sum[3])));
}

/* One tile of out (rows, .. ) = start + A (rows, K) M (K, ..): rows and columns are constants where this is inlined. */
static inline __attribute__((always_inline)) void NAME(tile)(const int rows, const int columns, long K, const REAL *A,
                                                             long A_row, long A_column, const REAL *M, long M_row,
                                                             const REAL *start, long start_row, REAL *out,
                                                             long out_row) {
    if (rows == 1 && columns == 1) {
        NAME(smallest)(K, A, A_column, M, M_row, start, out);
        return;
    }
    vector sum[ROWS][COLUMNS] = {{{0}}};
    for (long k = 0; k < K; k++)
        for (int j = 0; j < columns; j++) {
            vector m = load(M + k * M_row + j * LANES);
            for (int i = 0; i < rows; i++) sum[i][j] += A[i * A_row + k * A_column] * m;
        }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            store(out + i * out_row + j * LANES, load(start + i * start_row + j * LANES) + sum[i][j]);
}

/* out (B, N) = start (B, N) + A (B, K) M (K, N), N a multiple of LANES. The steps from row to row are given, and A's
   from column to column: A may be transposed, and a step of 0 is the same row for all. start may be out. */
static void NAME(product)(long B, long K, long N, const REAL *A, long A_row, long A_column, const REAL *M, long M_row,
                          const REAL *start, long start_row, REAL *out, long out_row) {
    for (long j = 0; j < N;) {
        long left = (N - j) / LANES;
        int columns = left < COLUMNS ? (int)left : COLUMNS;
#define TILE(rows, columns)                                                                                          \
    NAME(tile)(rows, columns, K, A + b * A_row, A_row, A_column, M + j, M_row, start + b * start_row + j, start_row, \
               out + b * out_row + j, out_row)
#define TILES(rows)                       \
    if (columns == 3) TILE(rows, 3);      \
    else if (columns == 2) TILE(rows, 2); \
    else TILE(rows, 1)
        long b = 0;
        for (; b + ROWS <= B; b += ROWS) { TILES(ROWS); }
        for (; b + 4 <= B; b += 4) { TILES(4); }
        for (; b < B; b++) { TILES(1); }
#undef TILES
#undef TILE
        j += columns * LANES;
    }
}

#define product NAME(product)

static void NAME(widen)(const REAL *from, long blocks, long H, REAL *to, long P) {
    for (long k = 0; k < blocks; k++) memcpy(to + k * P, from + k * H, H * sizeof(REAL));
}

static void NAME(narrow)(const REAL *from, long blocks, long P, REAL *to, long H) {
    for (long k = 0; k < blocks; k++) memcpy(to + k * H, from + k * P, H * sizeof(REAL));
}

/* The transpose of a block (H, K) of weights, as columns (K, P) of a matrix whose rows are M_row long. */
static void NAME(transpose)(const REAL *weights, long H, long K, REAL *M, long M_row) {
    for (long k = 0; k < K; k++)
        for (long j = 0; j < H; j++) M[k * M_row + j] = weights[j * K + k];
}

static REAL *NAME(zeros)(long numbers) { /* aligned: a vector across two lines of the cache is two loads */
    size_t bytes = (numbers * sizeof(REAL) / BYTES + 1) * BYTES;
    REAL *memory = aligned_alloc(BYTES, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

/* All steps forward.

   x (T, B, D), h0 (B, H), W (3H, D), U (3H, H), b_i and b_h (3H) or NULL, rows of r, z, n  ->  states (T, B, H) after
   each step, and where gates is not NULL, gates (T, B, 4 - first_block, H), and h0 once more, (B, H), just before
   states. Returns 0, or 1 where memory is lacking. */
int NAME(walk_forward)(long T, long B, long D, long H, int after, const REAL *x, const REAL *h0, const REAL *W,
                       const REAL *U, const REAL *b_i, const REAL *b_h, REAL *states, REAL *gates, long first_block) {
    const long P = (H + LANES - 1) / LANES * LANES;
    const long S = B < ROWS ? ROWS : 1; /* steps whose inputs are multiplied together, or few samples fill no tile */
    const long numbers = 3 * P * D + 3 * P * H + 4 * P + S * 4 * P * B + P * B;
    REAL *memory = NAME(zeros)(numbers);
    if (!memory) return 1;
    REAL *W_t = memory, *U_t = W_t + 3 * P * D, *bias = U_t + 3 * P * H; /* (D, 3P): r, z, n; (H, 3P): q, r, z */
    REAL *ahead = bias + 4 * P, *h = ahead + S * 4 * P * B;              /* (S, B, 4P); (B, P) */
    for (long k = 0; k < 3; k++) {
        NAME(transpose)(W + k * H * D, H, D, W_t + k * P, 3 * P);
        NAME(transpose)(U + k * H * H, H, H, U_t + (k + 1) % 3 * P, 3 * P);
        for (long j = 0; j < H; j++) {
            REAL from_x = b_i ? b_i[k * H + j] : 0, from_h = b_h ? b_h[k * H + j] : 0;
            bias[(k + 1) * P + j] = k == 2 && after ? from_x : from_x + from_h;
            if (k == 2 && after) bias[j] = from_h;
        }
    }
    for (long b = 0; b < B; b++) NAME(widen)(h0 + b * H, 1, H, h + b * P, P);
    if (gates) memcpy(states - B * H, h0, B * H * sizeof(REAL));
    for (long t = 0; t < T; t++) {
        REAL *rows = ahead + t % S * 4 * P * B; /* (B, 4P) */
        long steps = T - t < S ? T - t : S;
        if (t % S == 0)
            product(steps * B, D, 3 * P, x + t * B * D, D, 1, W_t, 3 * P, bias + P, 0, rows + P, 4 * P);
        if (after) {
            for (long b = 0; b < B; b++) memcpy(rows + b * 4 * P, bias, P * sizeof(REAL));
            product(B, H, 3 * P, h, P, 1, U_t, 3 * P, rows, 4 * P, rows, 4 * P);
        } else {
            product(B, H, 2 * P, h, P, 1, U_t + P, 3 * P, rows + P, 4 * P, rows + P, 4 * P);
        }
        for (long b = 0; b < B; b++) {
            REAL *q = rows + b * 4 * P, *r = q + P;
            for (long j = 0; j < 2 * P; j += LANES) store(r + j, NAME(sigmoid)(load(r + j)));
            if (!after)
                for (long j = 0; j < P; j += LANES) store(q + j, load(r + j) * load(h + b * P + j));
        }
        if (!after) product(B, H, P, rows, 4 * P, 1, U_t, 3 * P, rows + 3 * P, 4 * P, rows + 3 * P, 4 * P);
        for (long b = 0; b < B; b++) {
            REAL *q = rows + b * 4 * P, *r = q + P, *z = r + P, *n = z + P, *h_b = h + b * P;
            for (long j = 0; j < P; j += LANES) {
                vector a = load(n + j);
                vector candidate = NAME(tanh)(after ? a + load(r + j) * load(q + j) : a);
                store(n + j, candidate);
                store(h_b + j, candidate + load(z + j) * (load(h_b + j) - candidate));
            }
            NAME(narrow)(h_b, 1, P, states + (t * B + b) * H, H);
            if (gates)
                NAME(narrow)(q + first_block * P, 4 - first_block, P, gates + (t * B + b) * (4 - first_block) * H, H);
        }
    }
    free(memory);
    return 0;
}

/* Steps backward, but for the gradients of weights and inputs, which are products over all steps at once.

   U (3H, H), states (T, B, H) before each step, gates (T, B, 4, H), grads (T+1, B, H): of each state what reaches it
   otherwise than through a later step of these: e, what the loss sends straight into it, and at the end dL/dh_T
   ->  grads: dL/dh_t, and deltas (T, B, 4, H): d_q (or d_p), d_r, d_z, d_n. Returns 0, or 1 where memory is lacking. */
int NAME(walk_backward)(long T, long B, long H, int after, const REAL *U, const REAL *states, const REAL *gates,
                        REAL *grads, REAL *deltas) {
    const long P = (H + LANES - 1) / LANES * LANES;
    REAL *memory = NAME(zeros)(3 * P * P + 10 * P * B);
    if (!memory) return 1;
    REAL *U_p = memory, *own_d = U_p + 3 * P * P, *own_rows = own_d + 4 * P * B; /* (3P, P): q, r, z; (B, 4P) twice */
    REAL *g = own_rows + 4 * P * B, *own_h = g + P * B;                          /* (B, P) each */
    const int in_place = P == H; /* then the caller's arrays need no padded copy */
    for (long k = 0; k < 3; k++)
        for (long j = 0; j < H; j++) NAME(widen)(U + (k * H + j) * H, 1, H, U_p + ((k + 1) % 3 * P + j) * P, P);
    for (long b = 0; b < B; b++) NAME(widen)(grads + (T * B + b) * H, 1, H, g + b * P, P);
    for (long t = T; t > 0; t--) {
        const REAL *rows = in_place ? gates + (t - 1) * B * 4 * H : own_rows;
        const REAL *h = in_place ? states + (t - 1) * B * H : own_h;
        REAL *d = in_place ? deltas + (t - 1) * B * 4 * H : own_d;
        for (long b = 0; b < B; b++) {
            const REAL *q = rows + b * 4 * P, *r = q + P, *z = r + P, *n = z + P, *h_b = h + b * P;
            REAL *d_q = d + b * 4 * P, *d_r = d_q + P, *d_z = d_r + P, *d_n = d_z + P, *g_b = g + b * P;
            if (!in_place) {
                NAME(widen)(gates + ((t - 1) * B + b) * 4 * H, 4, H, own_rows + b * 4 * P, P);
                NAME(widen)(states + ((t - 1) * B + b) * H, 1, H, own_h + b * P, P);
            }
            for (long j = 0; j < P; j += LANES) {
                vector r_ = load(r + j), z_ = load(z + j), n_ = load(n + j), h_ = load(h_b + j), g_ = load(g_b + j);
                vector to_n = (1 - z_) * (1 - n_ * n_) * g_;
                store(d_n + j, to_n);
                store(d_z + j, (h_ - n_) * z_ * (1 - z_) * g_);
                store(d_q + j, after ? to_n * r_ : NAME(splat)(0));
                if (after) store(d_r + j, to_n * load(q + j) * r_ * (1 - r_));
                store(g_b + j, z_ * g_);
            }
            for (long j = 0; j < H; j++) g_b[j] += grads[((t - 1) * B + b) * H + j];
        }
        if (after) {
            product(B, 3 * P, P, d, 4 * P, 1, U_p, P, g, P, g, P);
        } else {
            product(B, P, P, d + 3 * P, 4 * P, 1, U_p, P, d, 4 * P, d, 4 * P); /* d_p = U_n^T d_n */
            for (long b = 0; b < B; b++) {
                const REAL *r = rows + b * 4 * P + P, *h_b = h + b * P;
                REAL *d_p = d + b * 4 * P, *d_r = d_p + P, *g_b = g + b * P;
                for (long j = 0; j < P; j += LANES) {
                    vector r_ = load(r + j), d_p_ = load(d_p + j);
                    store(d_r + j, load(h_b + j) * r_ * (1 - r_) * d_p_);
                    store(g_b + j, load(g_b + j) + r_ * d_p_);
                }
            }
            product(B, 2 * P, P, d + P, 4 * P, 1, U_p + P * P, P, g, P, g, P);
        }
        for (long b = 0; b < B; b++) {
            if (!in_place) NAME(narrow)(d + b * 4 * P, 4, P, deltas + ((t - 1) * B + b) * 4 * H, H);
            NAME(narrow)(g + b * P, 1, P, grads + ((t - 1) * B + b) * H, H);
        }
    }
    free(memory);
    return 0;
}

/* N rows of H numbers, each `step` apart, for vectors to read: where P is not H, as rows of P in `to`. */
static const REAL *NAME(pad)(const REAL *from, long N, long step, long H, REAL *to, long P) {
    if (P == H) return from;
    for (long i = 0; i < N; i++) memcpy(to + i * P, from + i * step, H * sizeof(REAL));
    return to;
}

/* All gradients: the walk back and, every CHUNK rows, while a cache still holds them, the products over these.

   x (T, B, D), W (3H, D), U (3H, H), states (T, B, H) before each step, gates (T, B, 4, H), grad_states (T, B, H): e
   ->  grad_x (T, B, D), grad_h0 (B, H), grad_W (3H, D), grad_U (3H, H), grad_b_i and grad_b_h (3H), each of which may
   be NULL where nobody asks for it. Returns 0, or 1 where memory is lacking. */
int NAME(walk_gradients)(long T, long B, long D, long H, int after, const REAL *x, const REAL *W, const REAL *U,
                         const REAL *states, const REAL *gates, const REAL *grad_states, REAL *grad_x, REAL *grad_h0,
                         REAL *grad_W, REAL *grad_U, REAL *grad_b_i, REAL *grad_b_h) {
    const long P = (H + LANES - 1) / LANES * LANES, Q = (D + LANES - 1) / LANES * LANES;
    const long C = 1 + CHUNK / (B + 1), N = (C < T ? C : T) * B; /* steps at a time, and their rows */
    const long R = (4 * H + LANES - 1) / LANES * LANES; /* the sums of deltas over rows may read into the next row */
    REAL *memory = NAME(zeros)(N * (2 * Q + P + 5 * H) + 3 * H * (2 * Q + P) + R + Q + B * H + LANES);
    if (!memory) return 1;
    REAL *own_x = memory, *to_x = own_x + N * Q, *own_h = to_x + N * Q, *own_W = own_h + N * P; /* (N, Q), (N, P) */
    REAL *to_W = own_W + 3 * H * Q, *to_U = to_W + 3 * H * Q, *to_b = to_U + 3 * H * P, *zero = to_b + R;
    REAL *g = zero + Q, *d = g + (N + B) * H, *d_r = d + H, *d_n = d + 3 * H; /* (N + B, H), (N, 4H) */
    const REAL *W_p = NAME(pad)(W, 3 * H, D, D, own_W, Q), one = 1;
    int failed = 0;
    for (long end = T, t; end > 0; end = t) {
        t = end > C ? end - C : 0;
        const long rows = (end - t) * B;
        const REAL *h = states + t * B * H, *e = grad_states + t * B * H, *p = gates + t * B * 4 * H;
        for (long i = 0; i < B * H; i++) g[rows * H + i] = e[(rows - B) * H + i] + g[i]; /* of the chunk after */
        memset(g, 0, B * H * sizeof(REAL));
        memcpy(g + B * H, e, (rows - B) * H * sizeof(REAL));
        failed |= NAME(walk_backward)(end - t, B, H, after, U, h, p, g, d);
        if (grad_x) {
            REAL *out = Q == D ? grad_x + t * B * D : to_x;
            product(rows, 3 * H, Q, d_r, 4 * H, 1, W_p, Q, zero, 0, out, Q);
            if (Q != D) NAME(narrow)(to_x, rows, Q, grad_x + t * B * D, D);
        }
        if (grad_W)
            product(3 * H, rows, Q, d_r, 1, 4 * H, NAME(pad)(x + t * B * D, rows, D, D, own_x, Q), Q, to_W, Q, to_W, Q);
        if (grad_U) {
            h = NAME(pad)(h, rows, H, H, own_h, P);
            product(2 * H, rows, P, d_r, 1, 4 * H, h, P, to_U, P, to_U, P);
            if (!after) h = NAME(pad)(p, rows, 4 * H, H, own_h, P);
            const long step = after || P != H ? P : 4 * H;
            product(H, rows, P, after ? d : d_n, 1, 4 * H, h, step, to_U + 2 * H * P, P, to_U + 2 * H * P, P);
        }
        product(1, rows, R, &one, 0, 0, d, 4 * H, to_b, 0, to_b, 0);
    }
    if (grad_h0) memcpy(grad_h0, g, B * H * sizeof(REAL));
    if (grad_W) NAME(narrow)(to_W, 3 * H, Q, grad_W, D);
    if (grad_U) NAME(narrow)(to_U, 3 * H, P, grad_U, H);
    if (grad_b_i) memcpy(grad_b_i, to_b + H, 3 * H * sizeof(REAL));
    if (grad_b_h) {
        memcpy(grad_b_h, to_b + H, 3 * H * sizeof(REAL));
        if (after) memcpy(grad_b_h + 2 * H, to_b, H * sizeof(REAL)); /* the candidate's is what r scales */
    }
    free(memory);
    return failed;
}

#undef vector
#undef integers
#undef load
#undef store
#undef product
#undef LANES

#endif
