// The operations on elements that a backend must know, by the definitions of `Map` and `Zip`, and the activation functions.
// The numbers of the operations are those of elementwise.rs.

__device__ __forceinline__ float map_of(unsigned op, float x, float p, float q) {
    switch (op) {
    case 0: return -x;
    case 1: return fabsf(x);
    case 2: return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x * 0.0f;
    case 3: return expf(x);
    case 4: return expm1f(x);
    case 5: return logf(x);
    case 6: return log1pf(x);
    case 7: return sqrtf(x);
    case 8: return x * x;
    case 9: return 1.0f / x;
    case 10: return powf(x, p);
    case 11: return tanhf(x);
    case 12: return sigmoid(x);
    case 13: return erff(x);
    case 14: return x * p + q;
    case 15: return lesser(greater(x, p), q);
    case 16: return x > 0.0f ? 1.0f : 0.0f;
    default: return x;
    }
}

__device__ __forceinline__ float zip_of(unsigned op, float a, float b) {
    switch (op) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a / b;
    case 4: return greater(a, b);
    case 5: return lesser(a, b);
    case 6: return a == b ? 1.0f : 0.0f;
    case 7: return a < b ? 1.0f : 0.0f;
    default: return a > b ? 1.0f : 0.0f;
    }
}

__device__ __forceinline__ float hard(float x, float slope) { return lesser(greater(x * slope + 0.5f, 0.0f), 1.0f); }
__device__ __forceinline__ float normal_cdf(float x) { return 0.5f * (1.0f + erff(x * 0.70710678f)); }
__device__ __forceinline__ float gelu_tanh(float x) { return tanhf(0.79788456f * (x + 0.044715f * x * x * x)); }
// tanh(ln(1 + e^x)) and one minus it, from the sigmoids of x and -x
__device__ __forceinline__ void tanh_of_softplus(float s, float r, float &t, float &rest) {
    float whole = 1.0f + r * r;
    t = s * (1.0f + r) / whole;
    rest = 2.0f * r * r / whole;
}

// Activation::value
__device__ __forceinline__ float value_of(unsigned f, float p, float x) {
    switch (f) {
    case 0: return sigmoid(x);
    case 1: return hard(x, 1.0f / 6.0f);
    case 2: return hard(x, 0.2f);
    case 3: return tanhf(x);
    case 4: return greater(x, 0.0f);
    case 5: return x > 0.0f ? x : x * p;
    case 6: return x > 0.0f ? x : p * expm1f(x);
    case 7: return times(normal_cdf(x), x);
    case 8: return times(0.5f * (1.0f + gelu_tanh(x)), x);
    case 9: return times(sigmoid(x), x);
    case 10: return greater(x, 0.0f) + log1pf(expf(-fabsf(x)));
    case 11: return x > 0.0f ? 1.05070099f * x : 1.75809934f * expm1f(x);
    case 12: return x > 0.0f ? x : p * expm1f(x / p);
    case 13: {
        float t, rest;
        tanh_of_softplus(sigmoid(x), sigmoid(-x), t, rest);
        return times(t, x);
    }
    case 14: return times(hard(x, 1.0f / 6.0f), x);
    case 15: {
        x = lesser(greater(x, -1e30f), 1e30f);  // beyond it is 1
        return x / (1.0f + fabsf(x));
    }
    case 16: return lesser(greater(x, 0.0f), 6.0f);
    default: return lesser(x, 0.0f) - log1pf(expf(-fabsf(x)));
    }
}

// Activation::slope
__device__ __forceinline__ float slope_of(unsigned f, float p, float x, float y) {
    switch (f) {
    case 0: return y * (1.0f - y);
    case 1: return y > 0.0f && y < 1.0f ? 1.0f / 6.0f : 0.0f;
    case 2: return y > 0.0f && y < 1.0f ? 0.2f : 0.0f;
    case 3: return 1.0f - y * y;
    case 4: return x > 0.0f ? 1.0f : 0.0f;
    case 5: return x > 0.0f ? 1.0f : p;
    case 6: return x > 0.0f ? 1.0f : p * expf(x);
    case 7: return normal_cdf(x) + times(0.39894228f * expf(-0.5f * x * x), x);
    case 8: {
        x = lesser(greater(x, -10.0f), 10.0f);  // beyond these it is 0 or 1, and x squared may be infinite
        float t = gelu_tanh(x), inner = 0.79788456f * (1.0f + 3.0f * 0.044715f * x * x);
        return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * inner;
    }
    case 9: {
        float s = sigmoid(x);
        return s + times(1.0f - s, y);
    }
    case 10: return sigmoid(x);
    case 11: return x > 0.0f ? 1.05070099f : 1.75809934f * expf(x);
    case 12: return x > 0.0f ? 1.0f : expf(x / p);
    case 13: {
        float s = sigmoid(x), t, rest;
        tanh_of_softplus(s, sigmoid(-x), t, rest);
        return t + times(rest * (1.0f + t) * s, x);
    }
    case 14: {
        float h = hard(x, 1.0f / 6.0f);
        return h + times(h > 0.0f && h < 1.0f ? 1.0f / 6.0f : 0.0f, x);
    }
    case 15: {
        float r = 1.0f / (1.0f + fabsf(x));
        return r * r;
    }
    case 16: return x > 0.0f && x < 6.0f ? 1.0f : 0.0f;
    default: return sigmoid(-x);
    }
}

extern "C" __global__ void fill(unsigned n, float *__restrict__ out, float value) {
    unsigned i = place() * 4;
    if (i < n) write(out + i, {value, value, value, value}, min(4u, n - i));
}

extern "C" __global__ void map(Layout at, unsigned n, const float *__restrict__ x, float *__restrict__ out,
                               unsigned op, float p, float q) {
    pointwise<1>(at, n, {x}, out, [=](const float (&v)[1]) { return map_of(op, v[0], p, q); });
}

extern "C" __global__ void zip(Layout at, unsigned n, const float *__restrict__ a, const float *__restrict__ b,
                               float *__restrict__ out, unsigned op) {
    pointwise<2>(at, n, {a, b}, out, [=](const float (&v)[2]) { return zip_of(op, v[0], v[1]); });
}

extern "C" __global__ void select(Layout at, unsigned n, const float *__restrict__ mask, const float *__restrict__ a,
                                  const float *__restrict__ b, float *__restrict__ out) {
    pointwise<3>(at, n, {mask, a, b}, out, [](const float (&v)[3]) { return v[0] != 0.0f ? v[1] : v[2]; });
}

// a += b, with a in row-major order.
extern "C" __global__ void add_assign(Layout at, unsigned n, const float *__restrict__ b, float *a) {
    fours<1>(at, n, {b}, [](const float (&v)[1]) { return v[0]; },
                 [=](unsigned i, unsigned count, const float (&y)[4]) {
                     float sum[4];
                     for (int j = 0; j < 4; j++) sum[j] = j < count ? a[i + j] + y[j] : 0.0f;
                     write(a + i, sum, count);
                 });
}

// Copies a part to its place among others: `length` numbers of each `whole` from `start` on.
extern "C" __global__ void join(Layout at, unsigned n, const float *__restrict__ part, float *__restrict__ out,
                                unsigned length, unsigned whole, unsigned start) {
    fours<1>(at, n, {part}, [](const float (&v)[1]) { return v[0]; },
                 [=](unsigned i, unsigned count, const float (&y)[4]) {
                     unsigned outer = i / length, inner = i - outer * length;
                     if (inner + count <= length) return write(out + outer * whole + start + inner, y, count);
                     for (int j = 0; j < 4; j++)
                         if (j < count) out[(i + j) / length * whole + start + (i + j) % length] = y[j];
                 });
}

extern "C" __global__ void activate(Layout at, unsigned n, const float *__restrict__ x, float *__restrict__ out,
                                    unsigned f, float p) {
    pointwise<1>(at, n, {x}, out, [=](const float (&v)[1]) { return value_of(f, p, v[0]); });
}

extern "C" __global__ void activate_grad(Layout at, unsigned n, const float *__restrict__ x,
                                         const float *__restrict__ y, const float *__restrict__ dy,
                                         float *__restrict__ out, unsigned f, float p) {
    pointwise<3>(at, n, {x, y, dy}, out, [=](const float (&v)[3]) { return slope_of(f, p, v[0], v[1]) * v[2]; });
}

// |z| w + ln(1 + e^-|z|) with w = 1 - t for z > 0 and t elsewhere
extern "C" __global__ void binary_cross_entropy(Layout at, unsigned n, const float *__restrict__ logits,
                                                const float *__restrict__ targets, float *__restrict__ out) {
    pointwise<2>(at, n, {logits, targets}, out, [](const float (&v)[2]) {
        return times(v[0] > 0.0f ? 1.0f - v[1] : v[1], fabsf(v[0])) + log1pf(expf(-fabsf(v[0])));
    });
}

// (sigmoid(z) - t) d
extern "C" __global__ void binary_cross_entropy_grad(Layout at, unsigned n, const float *__restrict__ logits,
                                                     const float *__restrict__ targets, const float *__restrict__ d,
                                                     float *__restrict__ out) {
    pointwise<3>(at, n, {logits, targets, d}, out, [](const float (&v)[3]) { return times(v[2], sigmoid(v[0]) - v[1]); });
}
