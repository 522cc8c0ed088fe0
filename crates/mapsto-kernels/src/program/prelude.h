/* The primitives of mapsto's elementwise programs in C. Compile with -ffp-contract=off: a product and a sum are rounded
   each, and fmaf where one rounding is meant. The functions are the polynomials of mapsto itself, bit for bit; angles beyond
   1e8 (1e6 of doubles) are the C library's. */
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
    float t = fmaf(x, 1.44269504088896340736f, M_ROUND);
    float n = t - M_ROUND;
    float r = fmaf(n, -M_LN2_LO, fmaf(n, -M_LN2_HI, x));
    float p = 1.989198e-4f;
    p = fmaf(p, r, 1.3934542e-3f);
    p = fmaf(p, r, 8.33331e-3f);
    p = fmaf(p, r, 4.1666457e-2f);
    p = fmaf(p, r, 1.6666667e-1f);
    p = fmaf(p, r, 0.5f);
    *k = (int32_t)(m_bits(t) - m_bits(M_ROUND));
    return fmaf(r * r, p, r);
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
    float y = fmaf(p, s, s - 0.5f) * 2.0f;
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
    r = fmaf(r, z, 2.8549964e-1f);
    r = fmaf(r, z, 4.000013e-1f);
    r = fmaf(r, z, 6.666667e-1f) * z;
    float h = 0.5f * f * f;
    float y = k * M_LN2_HI - ((h - fmaf(s, h + r, k * M_LN2_LO)) - f);
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
    p = fmaf(p, z, -8.179632e-4f);
    p = fmaf(p, z, 5.204227e-3f);
    p = fmaf(p, z, -2.6860665e-2f);
    p = fmaf(p, z, 1.1283718e-1f);
    p = fmaf(p, z, -3.7612635e-1f);
    float near = fmaf(v, fmaf(p, z, 1.2837917e-1f), v);
    float t = a > 4.0f ? 4.0f : a;
    float q = 1.6424639e-6f;
    q = fmaf(q, t, -4.6149692e-5f);
    q = fmaf(q, t, 5.9744424e-4f);
    q = fmaf(q, t, -4.7618455e-3f);
    q = fmaf(q, t, 2.6425045e-2f);
    q = fmaf(q, t, -1.1008187e-1f);
    q = fmaf(q, t, -6.3183043e-1f);
    q = fmaf(q, t, -1.1302267f);
    q = fmaf(q, t, 3.173165e-4f);
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

static inline uint64_t m_bits64(double x) { uint64_t b; memcpy(&b, &x, 8); return b; }
static inline double m_double(uint64_t b) { double x; memcpy(&x, &b, 8); return x; }

#define M_ROUND64 6755399441055744.0
#define M_LN2_HI64 0.6931471805598903
#define M_LN2_LO64 5.497923018708371e-14
#define M_HALF_PI0 1.57079632679489661923
#define M_HALF_PI1 6.123233995736766e-17
#define M_HALF_PI2 -1.49738490485917e-33
static const double M_EXP[11] = {
    2.09147553258932e-9, 2.5105312729622103e-8, 2.755727347871858e-7, 2.755725517000089e-6,
    2.480158732567746e-5, 0.0001984126987500228, 0.0013888888888883711, 0.008333333333326084,
    0.04166666666666667, 0.1666666666666667, 0.5,
};
static const double M_LN[7] = {
    0.1461780715341737, 0.15331611722055002, 0.1818289243253687, 0.22222211089379496, 0.28571428626253836,
    0.3999999999989889, 0.666666666666667,
};
static const double M_LN_BEYOND[7] = {
    0.1291471218397585, 0.1328586883754184, 0.1538557746330829, 0.1818180821092188, 0.22222222271326808,
    0.2857142857133801, 0.4000000000000003,
};
static const double M_ERF[12] = {
    -8.455672762838276e-10, 1.4035072777069241e-8, -1.627349929764496e-7, 1.645501388992068e-6,
    -1.4925287257284608e-5, 0.00012055320546050548, -0.0008548326742384589, 0.005223977621408321,
    -0.02686617064478925, 0.11283791670953626, -0.37612638903183726, 0.1283791670955126,
};
static const double M_SIN[6] = {
    1.5917988979397435e-10, -2.5051129896450185e-8, 2.7557316093198404e-6, -0.00019841269836740532,
    0.008333333333330936, -0.16666666666666666,
};
static const double M_COS[6] = {
    -1.138254464534925e-11, 2.087614504941318e-9, -2.755731726587808e-7, 2.48015872987544e-5,
    -0.0013888888888887389, 0.041666666666666664,
};
static const double M_MILLS[22] = {
    -2224938767716.4434, 1055064255050.1014, -7448839309.944964, -72898845480.19148, 3601707621.884129,
    4391787798.32825, -106398262.65527758, -287902838.9013681, -14791510.3013441, 18906409.108798508,
    3628994.500491181, -890521.6375546238, -498031.9619164413, -50367.50408601629, 33176.62157859481,
    19409.160942060884, 6157.591542842601, 1446.1288680709297, 274.8781120877378, 44.022176565475476,
    6.069875204871081, 0.7294673380234306,
};
static inline double m_poly(double x, const double *c, int n) {
    double y = c[0];
    for (int i = 1; i < n; i++) y = fma(x, y, c[i]);
    return y;
}
static inline double m_exp2i64(double n) { return m_double((m_bits64(n + M_ROUND64) + 1023u) << 52); }
static inline double m_exp_parts64(double x, double rest, double *n) {
    *n = fma(x, 1.44269504088896340736, M_ROUND64) - M_ROUND64;
    double r = fma(*n, -M_LN2_LO64, fma(*n, -M_LN2_HI64, x)) + rest;
    return fma(r * r, m_poly(r, M_EXP, 11), r);
}
static inline double m_exp_f64(double v) {
    double n, x = v < -746.0 ? -746.0 : v;
    x = x > 710.0 ? 710.0 : x;
    double p = m_exp_parts64(x, 0.0, &n), half = fma(n, 0.5, M_ROUND64) - M_ROUND64;
    return (1.0 + p) * m_exp2i64(half) * m_exp2i64(n - half);
}
static inline double m_exp_of_negative_f64(double v) {
    double n, p = m_exp_parts64(v < -708.39 ? -708.39 : v, 0.0, &n);
    return v < -708.39 ? 0.0 : (1.0 + p) * m_exp2i64(n);
}
static inline double m_expm1_f64(double v) {
    double n, x = v < -40.0 ? -40.0 : v;
    x = x > 710.0 ? 710.0 : x;
    double p = m_exp_parts64(x, 0.0, &n), s = m_exp2i64(n - 1.0);
    double y = fma(p, s, s - 0.5) * 2.0;
    return v == 0.0 ? v : y;
}
static inline double m_ln_parts64(double v, double *f) {
    int tiny = v < 2.2250738585072014e-308;
    double x = tiny ? v * 18014398509481984.0 : v;
    uint64_t bits = m_bits64(x) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    double k = m_double((bits >> 52) | m_bits64(M_ROUND64)) - (M_ROUND64 + 1023.0);
    *f = m_double((bits & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
    return tiny ? k - 54.0 : k;
}
static inline double m_ln_f64(double v) {
    double f, k = m_ln_parts64(v, &f);
    double s = f / (2.0 + f), z = s * s;
    double r = m_poly(z, M_LN, 7) * z;
    double h = 0.5 * f * f;
    double y = k * M_LN2_HI64 - ((h - fma(s, h + r, k * M_LN2_LO64)) - f);
    y = v == INFINITY ? v : y;
    y = v == 0.0 ? -INFINITY : y;
    return v >= 0.0 ? y : NAN;
}
static inline double m_ln_1p_f64(double v) {
    double u = 1.0 + v;
    double lost = v > 1.0 ? 1.0 - (u - v) : v - (u - 1.0);
    double fix = u > 0.0 && u < INFINITY ? lost / u : 0.0;
    double y = m_ln_f64(u) + fix;
    return v == 0.0 ? v : y;
}
static inline double m_tanh_f64(double v) {
    double a = fabs(v);
    a = a > 22.0 ? 22.0 : a;
    double e = m_expm1_f64(a + a);
    return copysign(e / (e + 2.0), v);
}
static inline double m_sigmoid_f64(double x) {
    double e = m_exp_f64(-fabs(x));
    return (x >= 0.0 ? 1.0 : e) / (1.0 + e);
}
static inline double m_mills_f64(double a) {
    double t = 1.0 / (a + 5.0);
    return t * m_poly(t - 0.09375, M_MILLS, 22);
}
static inline double m_erf_f64(double v) {
    double a = fabs(v), near = fma(v, m_poly(v * v, M_ERF, 12), v);
    double t = a > 6.0 ? 6.0 : a, square = t * t, e = m_exp_f64(-square);
    e = fma(fma(t, -t, square), e, e);
    double far = copysign(1.0 - 2.0 * e * m_mills_f64(t * 1.41421356237309504880), v);
    return a < 0.9 ? near : far;
}
static inline double m_bell_f64(double a) {
    a = a > 39.0 ? 39.0 : a;
    double square = a * a, e = m_exp_f64(-0.5 * square);
    return fma(-0.5 * fma(a, a, -square), e, e);
}
static inline double m_cdf_f64(double x) {
    double a = fabs(x), tail = m_bell_f64(a) * m_mills_f64(a > 39.0 ? 39.0 : a);
    return x > 0.0 ? 1.0 - tail : tail;
}
static inline double m_density_f64(double x) { return m_bell_f64(fabs(x)) * 0.39894228040143267794; }

/* Sine and cosine of x less whole quarter turns, and how many those are. */
static inline uint64_t m_sin_cos_f64(double x, double *sin, double *cos) {
    double t = fma(x, 0.63661977236758134308, M_ROUND64), n = t - M_ROUND64;
    double near = fma(n, -M_HALF_PI0, x), small = n * M_HALF_PI1, r = near - small;
    double rest = fma(n, -M_HALF_PI2, ((near - r) - small) - fma(n, M_HALF_PI1, -small));
    double z = r * r, half = 0.5 * z;
    double s = r + fma(r * z, m_poly(z, M_SIN, 6), rest * (1.0 - half));
    *sin = x == 0.0 ? x : s;
    double c = 1.0 - half;
    *cos = c + (((1.0 - c) - half) + fma(z * z, m_poly(z, M_COS, 6), -(r * rest)));
    return m_bits64(t);
}
static inline double m_sin_f64(double x) {
    double s, c;
    if (fabs(x) > 1e6) return sin(x);
    uint64_t turns = m_sin_cos_f64(x, &s, &c);
    double y = turns & 1 ? c : s;
    return turns & 2 ? -y : y;
}
static inline double m_cos_f64(double x) {
    double s, c;
    if (fabs(x) > 1e6) return cos(x);
    uint64_t turns = m_sin_cos_f64(x, &s, &c);
    double y = turns & 1 ? s : c;
    return (turns + 1) & 2 ? -y : y;
}
static inline uint64_t m_sin_cos_f32(float x, float *sin, float *cos) {
    double wide = x, t = fma(wide, 0.63661977236758134308, M_ROUND64), n = t - M_ROUND64;
    float r = (float)fma(n, -M_HALF_PI1, fma(n, -M_HALF_PI0, wide)), z = r * r;
    float s = (-1.9587387e-4f * z + 8.332746e-3f) * z - 1.6666665e-1f;
    float c = (2.4547437e-5f * z - 1.38883e-3f) * z + 4.1666665e-2f;
    *sin = r + r * z * s;
    *cos = (1.0f - 0.5f * z) + z * z * c;
    return m_bits64(t);
}
static inline float m_sin_f32(float x) {
    float s, c;
    if (fabsf(x) > 1e8f) return sinf(x);
    uint64_t turns = m_sin_cos_f32(x, &s, &c);
    float y = turns & 1 ? c : s;
    y = turns & 2 ? -y : y;
    return x == 0.0f ? x : y;
}
static inline float m_cos_f32(float x) {
    float s, c;
    if (fabsf(x) > 1e8f) return cosf(x);
    uint64_t turns = m_sin_cos_f32(x, &s, &c);
    float y = turns & 1 ? s : c;
    return (turns + 1) & 2 ? -y : y;
}
static inline float m_tan_f32(float x) {
    if (fabsf(x) > 1e8f) return tanf(x);
    double wide = x, t64 = fma(wide, 0.63661977236758134308, M_ROUND64), n = t64 - M_ROUND64;
    double angle = fma(n, -M_HALF_PI1, fma(n, -M_HALF_PI0, wide));
    float r = (float)angle, z = r * r, p = 4.3763295e-3f;
    p = fmaf(z, p, 8.9414054e-5f);
    p = fmaf(z, p, 1.0835919e-2f);
    p = fmaf(z, p, 2.1282142e-2f);
    p = fmaf(z, p, 5.4059926e-2f);
    p = fmaf(z, p, 1.3332663e-1f);
    p = fmaf(z, p, 3.333335e-1f);
    float w = r * z * p, t = r + w;
    w = fmaf((float)(angle - r), fmaf(t, t, 1.0f), w);
    t = r + w;
    float y = -1.0f / t;
    float lost = fmaf(y, t, 1.0f) + y * ((r - t) + w), odd = fmaf(y, lost, y);
    odd = fabsf(y) < INFINITY ? odd : y;
    return m_bits64(t64) & 1 ? odd : t;
}
static inline double m_tan_f64(double x) {
    double s, c;
    if (fabs(x) > 1e6) return tan(x);
    int odd = m_sin_cos_f64(x, &s, &c) & 1;
    return (odd ? -c : s) / (odd ? s : c);
}
static inline float m_exp2_f32(float v) {
    float x = v < -151.0f ? -151.0f : v;
    x = x > 129.0f ? 129.0f : x;
    float t = x + M_ROUND, r = x - (t - M_ROUND), p = 1.5476323e-4f;
    p = fmaf(r, p, 1.340027e-3f);
    p = fmaf(r, p, 9.618004e-3f);
    p = fmaf(r, p, 5.550328e-2f);
    p = fmaf(r, p, 2.402265e-1f);
    p = fmaf(r, p, 0.69314718055994530942f);
    int32_t n = (int32_t)(m_bits(t) - m_bits(M_ROUND)), half = n >> 1;
    return fmaf(r, p, 1.0f) * m_exp2i(half) * m_exp2i((int32_t)((uint32_t)n - (uint32_t)half));
}
static inline double m_exp2_f64(double v) {
    double x = v < -1077.0 ? -1077.0 : v;
    x = x > 1025.0 ? 1025.0 : x;
    double n = (x + M_ROUND64) - M_ROUND64, r = x - n, z = r * 0.69314718055994530942;
    double rest = fma(r, 0.69314718055994530942, -z) + r * 2.3190468138462996e-17;
    double p = z + fma(z * z, m_poly(z, M_EXP, 11), rest), half = fma(n, 0.5, M_ROUND64) - M_ROUND64;
    return (1.0 + p) * m_exp2i64(half) * m_exp2i64(n - half);
}
/* ln x as the sum of two numbers. */
static inline double m_ln_twice(double x, double *rest) {
    double f, k = m_ln_parts64(x, &f);
    double u = 2.0 + f, s = f / u, s_rest = (fma(-s, u, f) - s * (f - (u - 2.0))) / u;
    double z = s * s, z_rest = fma(s, s, -z) + 2.0 * s * s_rest;
    double more = z * m_poly(z, M_LN_BEYOND, 7);
    double third = 0.6666666666666666 + more;
    double third_rest = (more - (third - 0.6666666666666666)) + 3.700743415417188e-17;
    double w = z * third, w_rest = fma(z, third, -w) + (z * third_rest + z_rest * third);
    double p = s * w, p_rest = fma(s, w, -p) + (s * w_rest + s_rest * w);
    double log = 2.0 * s + p, small = (2.0 * s - log) + p + (2.0 * s_rest + p_rest);
    double whole = k * M_LN2_HI64, sum = whole + log;
    small = (whole - sum) + log + fma(k, M_LN2_LO64, small);
    sum = x == 0.0 ? -INFINITY : sum;
    sum = x == INFINITY ? x : sum;
    *rest = x == 0.0 || x == INFINITY ? 0.0 : small;
    return x >= 0.0 ? sum : NAN;
}
static inline double m_pow_f64(double x, double y) {
    double a = fabs(x), rest, log = m_ln_twice(a, &rest), n;
    double e = a == 1.0 || y == 0.0 ? 0.0 : log * y;
    double small = fabs(e) < 800.0 && e != 0.0 ? fma(log, y, -e) + rest * y : 0.0;
    double v = e < -746.0 ? -746.0 : e;
    v = v > 710.0 ? 710.0 : v;
    double p = m_exp_parts64(v, small, &n), half = fma(n, 0.5, M_ROUND64) - M_ROUND64;
    double power = (1.0 + p) * m_exp2i64(half) * m_exp2i64(n - half);
    int whole = rint(y) == y, even = rint(y * 0.5) == y * 0.5;
    power = signbit(x) && whole && !even ? -power : power;
    return x < 0.0 && !whole && a < INFINITY ? NAN : power;
}
static inline float m_pow_f32(float x, float y) {
    double a = fabsf(x), wide = y;
    double log = a == 1.0 || wide == 0.0 ? 0.0 : m_ln_f64(a) * wide;
    float power = (float)m_exp_f64(log), half = y * 0.5f;
    int whole = rintf(y) == y, even = rintf(half) == half;
    power = signbit(x) && whole && !even ? -power : power;
    return x < 0.0f && !whole && a < INFINITY ? NAN : power;
}

static inline float m_sqrt_f32(float x) { return sqrtf(x); }
static inline float m_floor_f32(float x) { return floorf(x); }
static inline float m_ceil_f32(float x) { return ceilf(x); }
static inline float m_round_f32(float x) { return rintf(x); }
static inline float m_abs_f32(float x) { return fabsf(x); }
static inline float m_fma_f32(float a, float b, float c) { return fmaf(a, b, c); }
static inline double m_sqrt_f64(double x) { return sqrt(x); }
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

/* What only integers have. A shift by what is not the number of a bit leaves the sign. */
#define M_INTEGER(T, S, W, N) \
    static inline T m_quotient_##S(T a, T b) { return b == 0 ? (T)0 : (T)-1 < 0 && b == (T)-1 ? m_neg_##S(a) : (T)(a / b); } \
    static inline T m_bit_and_##S(T a, T b) { return (T)(a & b); } \
    static inline T m_bit_or_##S(T a, T b) { return (T)(a | b); } \
    static inline T m_bit_xor_##S(T a, T b) { return (T)(a ^ b); } \
    static inline T m_shift_left_##S(T a, T b) { return b < 0 || b >= N ? (T)0 : (T)((W)a << b); } \
    static inline T m_shift_right_##S(T a, T b) { return b < 0 || b >= N ? (T)(a < 0 ? -1 : 0) : (T)(a >> b); }
M_INTEGER(int64_t, i64, uint64_t, 64)
M_INTEGER(int32_t, i32, uint32_t, 32)
M_INTEGER(uint8_t, u8, uint32_t, 8)
M_INTEGER(int8_t, i8, uint32_t, 8)
