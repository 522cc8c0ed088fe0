/* The primitives of mapsto's elementwise programs in C. Compile with -ffp-contract=off: a product and a sum are rounded
   each, and fmaf where one rounding is meant. The float functions are the polynomials of mapsto itself, bit for bit; the
   double functions are those of the C library. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#pragma STDC FP_CONTRACT OFF

static inline uint32_t m_bits(float x) { uint32_t b; memcpy(&b, &x, 4); return b; }
static inline float m_float(uint32_t b) { float x; memcpy(&x, &b, 4); return x; }

#define M_ROUND 12582912.0f
#define M_LN2_HI 0.6933594f
#define M_LN2_LO -2.1219444e-4f

static inline float m_exp2i(int32_t n) { return m_float(((uint32_t)n + 127u) << 23); }
/* x = n ln 2 + r; gives n and e^r - 1. */
static inline float m_exp_parts(float x, int32_t *k) {
    float t = x * 1.44269504088896340736f + M_ROUND;
    float n = t - M_ROUND;
    float r = (x - n * M_LN2_HI) - n * M_LN2_LO;
    float p = 1.989198e-4f;
    p = p * r + 1.3934542e-3f;
    p = p * r + 8.33331e-3f;
    p = p * r + 4.1666457e-2f;
    p = p * r + 1.6666667e-1f;
    p = p * r + 0.5f;
    *k = (int32_t)(m_bits(t) - m_bits(M_ROUND));
    return r + r * r * p;
}
static inline float m_exp_f32(float v) {
    float x = v < -104.0f ? -104.0f : v;
    int32_t n;
    x = x > 89.0f ? 89.0f : x;
    float p = m_exp_parts(x, &n);
    int32_t half = n >> 1;
    return (1.0f + p) * m_exp2i(half) * m_exp2i((int32_t)((uint32_t)n - (uint32_t)half));
}
static inline float m_exp_of_negative_f32(float v) {
    float x = v < -87.33f ? -87.33f : v;
    float t = fmaf(x, 1.44269504088896340736f, M_ROUND);
    float n = t - M_ROUND;
    float r = fmaf(n, -M_LN2_LO, fmaf(n, -M_LN2_HI, x));
    float p = 1.989198e-4f;
    p = fmaf(r, p, 1.3934542e-3f);
    p = fmaf(r, p, 8.33331e-3f);
    p = fmaf(r, p, 4.1666457e-2f);
    p = fmaf(r, p, 1.6666667e-1f);
    p = fmaf(r, p, 0.5f);
    p = fmaf(r, p, 1.0f);
    p = fmaf(r, p, 1.0f);
    float y = m_float(m_bits(p) + (m_bits(t) << 23));
    return v < -87.33f ? 0.0f : y;
}
static inline float m_expm1_f32(float v) {
    float x = v < -20.0f ? -20.0f : v;
    int32_t n;
    x = x > 89.0f ? 89.0f : x;
    float p = m_exp_parts(x, &n);
    float s = m_exp2i((int32_t)((uint32_t)n - 1u));
    float y = (p * s + (s - 0.5f)) * 2.0f;
    return v == 0.0f ? v : y;
}
static inline float m_ln_f32(float v) {
    int tiny = v < 1.17549435e-38f;
    float x = tiny ? v * 8388608.0f : v;
    uint32_t bits = m_bits(x) - 0x3f3504f3u;
    int32_t whole = (int32_t)bits >> 23;
    float k = (float)(tiny ? whole - 23 : whole);
    float f = m_float((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float s = f / (2.0f + f);
    float z = s * s;
    float r = 2.3353542e-1f;
    r = r * z + 2.8549964e-1f;
    r = r * z + 4.000013e-1f;
    r = (r * z + 6.666667e-1f) * z;
    float h = 0.5f * f * f;
    float y = k * M_LN2_HI - ((h - (s * (h + r) + k * M_LN2_LO)) - f);
    y = v == INFINITY ? v : y;
    y = v == 0.0f ? -INFINITY : y;
    return v >= 0.0f ? y : NAN;
}
static inline float m_ln_1p_f32(float v) {
    float u = 1.0f + v;
    float lost = v > 1.0f ? 1.0f - (u - v) : v - (u - 1.0f);
    float fix = u > 0.0f && u < INFINITY ? lost / u : 0.0f;
    float y = m_ln_f32(u) + fix;
    return v == 0.0f ? v : y;
}
static inline float m_tanh_f32(float v) {
    float a = fabsf(v);
    a = a > 10.0f ? 10.0f : a;
    float e = m_expm1_f32(a + a);
    return copysignf(e / (e + 2.0f), v);
}
static inline float m_sigmoid_f32(float v) {
    float e = m_exp_f32(-fabsf(v));
    return (v >= 0.0f ? 1.0f : e) / (1.0f + e);
}
static inline float m_erf_f32(float v) {
    float a = fabsf(v), z = v * v;
    float p = 8.529401e-5f;
    p = p * z - 8.179632e-4f;
    p = p * z + 5.204227e-3f;
    p = p * z - 2.6860665e-2f;
    p = p * z + 1.1283718e-1f;
    p = p * z - 3.7612635e-1f;
    float near = v + v * (p * z + 1.2837917e-1f);
    float t = a > 4.0f ? 4.0f : a;
    float q = 1.6424639e-6f;
    q = q * t - 4.6149692e-5f;
    q = q * t + 5.9744424e-4f;
    q = q * t - 4.7618455e-3f;
    q = q * t + 2.6425045e-2f;
    q = q * t - 1.1008187e-1f;
    q = q * t - 6.3183043e-1f;
    q = q * t - 1.1302267f;
    q = q * t + 3.173165e-4f;
    float far = copysignf(1.0f - m_exp_f32(q), v);
    return a < 0.9f ? near : far;
}
static inline float m_bell_f32(float a) {
    a = a > 14.0f ? 14.0f : a;
    float square = a * a, lost = fmaf(a, a, -square) * -0.5f;
    float e = m_exp_of_negative_f32(square * -0.5f);
    return fmaf(lost, e, e);
}
static inline float m_cdf_f32(float x) {
    float a = fabsf(x), e = m_bell_f32(a);
    a = a > 14.0f ? 14.0f : a;
    float t = 1.0f / (a + 3.0f), u = t - 0.203125f;
    float m = -498.72945f;
    m = fmaf(u, m, 118.64515f);
    m = fmaf(u, m, 99.78703f);
    m = fmaf(u, m, -36.91674f);
    m = fmaf(u, m, -22.040587f);
    m = fmaf(u, m, 7.572844f);
    m = fmaf(u, m, 9.264415f);
    m = fmaf(u, m, 3.6974137f);
    m = fmaf(u, m, 0.8519742f);
    float tail = e * (t * m);
    return x > 0.0f ? 1.0f - tail : tail;
}
static inline float m_density_f32(float x) { return m_bell_f32(fabsf(x)) * 0.39894228040143267794f; }

static inline double m_exp_f64(double x) { return exp(x); }
static inline double m_exp_of_negative_f64(double x) { return exp(x); }
static inline double m_expm1_f64(double x) { return expm1(x); }
static inline double m_ln_f64(double x) { return log(x); }
static inline double m_ln_1p_f64(double x) { return log1p(x); }
static inline double m_tanh_f64(double x) { return tanh(x); }
static inline double m_sigmoid_f64(double x) {
    double e = exp(-fabs(x));
    return (x >= 0.0 ? 1.0 : e) / (1.0 + e);
}
static inline double m_erf_f64(double x) {
    double a = fabs(x);
    if (a >= 3.0) {
        if (a > 6.0) return x != x ? x : copysign(1.0, x);
        double f = a;
        for (int n = 59; n >= 1; n--) f = a + 0.5 * (double)n / f;
        return copysign(1.0 - exp(-a * a) / (f * sqrt(3.14159265358979323846)), x);
    }
    double term = x, sum = x, n = 0.0;
    while (fabs(term) > 1e-17 * fabs(sum)) {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    return 1.12837916709551257390 * exp(-x * x) * sum;
}
static inline double m_bell_f64(double a) {
    a = a > 39.0 ? 39.0 : a;
    double square = a * a, e = exp(-0.5 * square);
    return fma(-0.5 * fma(a, a, -square), e, e);
}
static inline double m_cdf_f64(double x) {
    if (!(x <= -1.5)) return 0.5 * (1.0 + m_erf_f64(x * 0.70710678118654752440));
    double a = x < -39.0 ? 39.0 : -x, f = a;
    for (int n = (int)(900.0 / (a * a)) + 19; n > 0; n--) f = a + n / f;
    return m_bell_f64(a) * (0.39894228040143267794 / f);
}
static inline double m_density_f64(double x) { return m_bell_f64(fabs(x)) * 0.39894228040143267794; }

static inline float m_sqrt_f32(float x) { return sqrtf(x); }
static inline float m_pow_f32(float x, float y) { return powf(x, y); }
static inline float m_sin_f32(float x) { return sinf(x); }
static inline float m_cos_f32(float x) { return cosf(x); }
static inline float m_floor_f32(float x) { return floorf(x); }
static inline float m_ceil_f32(float x) { return ceilf(x); }
static inline float m_round_f32(float x) { return rintf(x); }
static inline float m_abs_f32(float x) { return fabsf(x); }
static inline float m_fma_f32(float a, float b, float c) { return fmaf(a, b, c); }
static inline double m_sqrt_f64(double x) { return sqrt(x); }
static inline double m_pow_f64(double x, double y) { return pow(x, y); }
static inline double m_sin_f64(double x) { return sin(x); }
static inline double m_cos_f64(double x) { return cos(x); }
static inline double m_floor_f64(double x) { return floor(x); }
static inline double m_ceil_f64(double x) { return ceil(x); }
static inline double m_round_f64(double x) { return rint(x); }
static inline double m_abs_f64(double x) { return fabs(x); }
static inline double m_fma_f64(double a, double b, double c) { return fma(a, b, c); }

/* What every type has. Integers wrap: they are added and multiplied without a sign. */
#define M_NUMBER(T, S, W) \
    static inline T m_add_##S(T a, T b) { return (T)((W)a + (W)b); } \
    static inline T m_sub_##S(T a, T b) { return (T)((W)a - (W)b); } \
    static inline T m_mul_##S(T a, T b) { return (T)((W)a * (W)b); } \
    static inline T m_neg_##S(T a) { return (T)(-(W)a); } \
    static inline T m_sign_##S(T a) { return a > 0 ? (T)1 : a < 0 ? (T)-1 : a; } \
    static inline T m_max_##S(T a, T b) { return a > b || a != a ? a : b; } \
    static inline T m_min_##S(T a, T b) { return a < b || a != a ? a : b; }
M_NUMBER(float, f32, float)
M_NUMBER(double, f64, double)
M_NUMBER(int64_t, i64, uint64_t)
M_NUMBER(int32_t, i32, uint32_t)
M_NUMBER(uint8_t, u8, uint32_t)
M_NUMBER(int8_t, i8, uint32_t)
static inline int64_t m_abs_i64(int64_t a) { return a < 0 ? m_neg_i64(a) : a; }
static inline int32_t m_abs_i32(int32_t a) { return a < 0 ? m_neg_i32(a) : a; }
static inline uint8_t m_abs_u8(uint8_t a) { return a; }
static inline int8_t m_abs_i8(int8_t a) { return a < 0 ? m_neg_i8(a) : a; }
