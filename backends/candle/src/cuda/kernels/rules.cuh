// What the optimisers' rules are written in. No product is joined with a sum, so that the numbers are the host's, to the bits.

// An f32 whose operations are rounded one by one.
struct F {
    float x;
    __device__ __forceinline__ F(float x = 0.0f) : x(x) {}
};
__device__ __forceinline__ F operator+(F a, F b) { return __fadd_rn(a.x, b.x); }
__device__ __forceinline__ F operator-(F a, F b) { return __fsub_rn(a.x, b.x); }
__device__ __forceinline__ F operator*(F a, F b) { return __fmul_rn(a.x, b.x); }
__device__ __forceinline__ F operator/(F a, F b) { return __fdiv_rn(a.x, b.x); }
__device__ __forceinline__ F root(F a) { return __fsqrt_rn(a.x); }
__device__ __forceinline__ F size(F a) { return fabsf(a.x); }
__device__ __forceinline__ F most(F a, F b) { return greater(a.x, b.x); }
// x / y, and 0 where y is 0
__device__ __forceinline__ F quotient(F x, F y) { return y.x == 0.0f ? F(0.0f) : x / y; }

// A rule by its number and its numbers. What a number means is written by rules.rs: a struct for each, and with_rule.
struct Rule {
    unsigned number;
    float p[8];
};
