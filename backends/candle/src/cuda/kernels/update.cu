// The optimisers' rules, by the formulas of `Update::apply` and to their bits: no product is joined with a sum, so that the
// numbers are the host's.

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
__device__ __forceinline__ F most(F a, F b) { return greater(a.x, b.x); }
// Epsilon::root
__device__ __forceinline__ F root(F v, F epsilon, bool inside) {
    return inside ? root(v + epsilon) : root(v) + epsilon;
}

struct Sgd {
    static const int SLOTS = 0;
    F lr, stay;
    __device__ __forceinline__ void operator()(F &w, F g, F *) const { w = stay * w - lr * g; }
};

struct Momentum {
    static const int SLOTS = 1;
    F lr, momentum, stay;
    bool nesterov;
    __device__ __forceinline__ void operator()(F &w, F g, F *s) const {
        s[0] = momentum * s[0] - lr * g;
        w = stay * w + (nesterov ? momentum * s[0] - lr * g : s[0]);
    }
};

struct AdaGrad {
    static const int SLOTS = 1;
    F lr, epsilon;
    bool inside;
    __device__ __forceinline__ void operator()(F &w, F g, F *s) const {
        s[0] = s[0] + g * g;
        w = w - lr * g / root(s[0], epsilon, inside);
    }
};

struct AdaDelta {
    static const int SLOTS = 2;
    F lr, rho, rest, epsilon;
    __device__ __forceinline__ void operator()(F &w, F g, F *s) const {
        s[0] = rho * s[0] + rest * g * g;
        F delta = g * root(s[1] + epsilon) / root(s[0] + epsilon);
        s[1] = rho * s[1] + rest * delta * delta;
        w = w - lr * delta;
    }
};

// With a momentum in slot 1 or without; centred with the mean in the last slot.
template <bool MOMENTUM, bool CENTRED> struct RmsProp {
    static const int SLOTS = 1 + MOMENTUM + CENTRED;
    F lr, rho, rest, epsilon, momentum;
    bool inside;
    __device__ __forceinline__ void operator()(F &w, F g, F *s) const {
        s[0] = rho * s[0] + rest * g * g;
        F variance = s[0];
        if (CENTRED) {
            F &mean = s[SLOTS - 1];
            mean = rho * mean + rest * g;
            variance = most(variance - mean * mean, 0.0f);
        }
        F step = lr * g / root(variance, epsilon, inside);
        if (MOMENTUM) {
            s[1] = momentum * s[1] + step;
            step = s[1];
        }
        w = w - step;
    }
};

template <bool TOP> struct Adam {
    static const int SLOTS = 2 + TOP;
    F lr, beta1, rest1, beta2, rest2, epsilon, stay;
    __device__ __forceinline__ void operator()(F &w, F g, F *s) const {
        s[0] = beta1 * s[0] + rest1 * g;
        s[1] = beta2 * s[1] + rest2 * g * g;
        F v = s[1];
        if (TOP) v = s[SLOTS - 1] = most(s[SLOTS - 1], v);
        w = stay * w - lr * s[0] / (root(v) + epsilon);
    }
};

struct Nadam {
    static const int SLOTS = 2;
    F of_m, of_g, beta1, rest1, beta2, rest2, epsilon, stay;
    __device__ __forceinline__ void operator()(F &w, F g, F *s) const {
        s[0] = beta1 * s[0] + rest1 * g;
        s[1] = beta2 * s[1] + rest2 * g * g;
        w = stay * w - (of_m * s[0] + of_g * g) / (root(s[1]) + epsilon);
    }
};

// Adam's means, and a step that does not divide by what little is known of the second.
struct AdamMean {
    static const int SLOTS = 2;
    F lr, beta1, rest1, beta2, rest2, stay;
    __device__ __forceinline__ void operator()(F &w, F g, F *s) const {
        s[0] = beta1 * s[0] + rest1 * g;
        s[1] = beta2 * s[1] + rest2 * g * g;
        w = stay * w - lr * s[0];
    }
};

struct Adamax {
    static const int SLOTS = 2;
    F lr, beta1, rest1, beta2, epsilon, stay;
    bool inside;
    __device__ __forceinline__ void operator()(F &w, F g, F *s) const {
        F size = fabsf(g.x);
        s[0] = beta1 * s[0] + rest1 * g;
        s[1] = most(beta2 * s[1], inside ? size + epsilon : size);
        F below = inside ? s[1] : s[1] + epsilon;
        w = stay * w - (below.x == 0.0f ? F(0.0f) : lr * s[0] / below);
    }
};

// The rule on up to four neighbours; no gradient is one of 0.
template <class Rule>
__device__ __forceinline__ void step(const Rule &rule, unsigned count, float *w, const float *__restrict__ g,
                                     float *const (&state)[3], unsigned at) {
    const int N = Rule::SLOTS;
    bool wide = count == 4 && together(w + at);
    for (int k = 0; k < N; k++) wide = wide && together(state[k] + at);
    float weights[4], slopes[4] = {0.0f, 0.0f, 0.0f, 0.0f}, slots[3][4];
    if (wide) {
        read(weights, w + at, 1);
        for (int k = 0; k < N; k++) read(slots[k], state[k] + at, 1);
    } else {
        for (int j = 0; j < 4; j++) {
            unsigned own = at + min((unsigned)j, count - 1);
            weights[j] = w[own];
            for (int k = 0; k < N; k++) slots[k][j] = state[k][own];
        }
    }
    if (g && count == 4) {
        read(slopes, g, 1);
    } else if (g) {
        for (int j = 0; j < count; j++) slopes[j] = g[j];
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
        F weight = weights[j], own[3];
        for (int k = 0; k < N; k++) own[k] = slots[k][j];
        rule(weight, slopes[j], own);
        weights[j] = weight.x;
        for (int k = 0; k < N; k++) slots[k][j] = own[k].x;
    }
    write(w + at, weights, count);
    for (int k = 0; k < N; k++) write(state[k] + at, slots[k], count);
}

// A rule by its number, which update.rs knows, its flag and its parameters.
struct Rule {
    unsigned number, flag;
    float p[8];
};

// Gives f the rule.
template <class F> __device__ __forceinline__ void with_rule(const Rule &rule, const F &f) {
    const float(&p)[8] = rule.p;
    bool flag = rule.flag;
    switch (rule.number) {
    case 0: return f.of(Sgd{p[0], p[1]});
    case 1: return f.of(Momentum{p[0], p[1], p[2], flag});
    case 2: return f.of(AdaGrad{p[0], p[1], flag});
    case 3: return f.of(AdaDelta{p[0], p[1], p[2], p[3]});
    case 4: return f.of(RmsProp<false, false>{p[0], p[1], p[2], p[3], p[4], flag});
    case 5: return f.of(RmsProp<true, false>{p[0], p[1], p[2], p[3], p[4], flag});
    case 6: return f.of(RmsProp<false, true>{p[0], p[1], p[2], p[3], p[4], flag});
    case 7: return f.of(RmsProp<true, true>{p[0], p[1], p[2], p[3], p[4], flag});
    case 8: return f.of(Adam<false>{p[0], p[1], p[2], p[3], p[4], p[5], p[6]});
    case 9: return f.of(Adam<true>{p[0], p[1], p[2], p[3], p[4], p[5], p[6]});
    case 10: return f.of(Nadam{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]});
    case 11: return f.of(AdamMean{p[0], p[1], p[2], p[3], p[4], p[5]});
    default: return f.of(Adamax{p[0], p[1], p[2], p[3], p[4], p[5], flag});
    }
}

// The numbers from `first` to `last`, of which this thread has four of each `stride`; g is the gradient of the first, and no
// gradient is one of 0.
struct Numbers {
    unsigned first, last, stride;
    float *w, *state[3];
    const float *g;

    template <class Rule> __device__ __forceinline__ void of(const Rule &rule) const {
        for (unsigned at = first; at < last; at += stride)
            step(rule, min(4u, last - at), w, g ? g + (at - first) : g, state, at);
    }
};

// A weight of n numbers, and the first of the blocks that do its step.
struct Weight {
    unsigned first, n;
    Rule rule;
    float *w, *state[3];
    const float *g;
};

// As many as a kernel's arguments have room for by far: they may have 4 KB.
struct Weights {
    unsigned count;
    Weight of[32];
};

// One step on each of several weights.
extern "C" __global__ void update(const __grid_constant__ Weights weights) {
    unsigned i = weights.count - 1;
    while (weights.of[i].first > blockIdx.x) i--;
    const Weight &x = weights.of[i];
    unsigned at = ((blockIdx.x - x.first) * blockDim.x + threadIdx.x) * 4;
    if (at >= x.n) return;
    with_rule(x.rule, Numbers{at, min(at + 4, x.n), 4, x.w, {x.state[0], x.state[1], x.state[2]}, x.g + at});
}

// The same for a table of rows `width` wide from the gradients of its rows rows[0 .. k], which are rising: a warp for each of
// those rows, or for every row of the table, of which those without a gradient have one of 0.
extern "C" __global__ void update_rows(Rule rule, unsigned count, float *w, const float *__restrict__ g, float *s0,
                                       float *s1, float *s2, const unsigned *__restrict__ rows, unsigned k,
                                       unsigned width, unsigned all) {
    unsigned row = blockIdx.x * 8 + threadIdx.x / 32, from = row, column = threadIdx.x % 32 * 4;
    if (row >= count) return;
    if (all) {
        // Where the row is among those with a gradient.
        unsigned low = 0, high = k;
        while (low < high) {
            unsigned middle = (low + high) / 2;
            if (rows[middle] < row) low = middle + 1;
            else high = middle;
        }
        from = low;
        if (from == k || rows[from] != row) g = 0;
    } else {
        row = rows[row];
    }
    if (g) g += from * width + column;
    unsigned begin = row * width;
    with_rule(rule, Numbers{begin + column, begin + width, 128, w, {s0, s1, s2}, g});
}
