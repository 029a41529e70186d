// Steps of the optimisers' rules, and what may hold them back.

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

// Sets to 0 the number of each array that is infinite or not a number anywhere.
extern "C" __global__ void finite(const __grid_constant__ Weights weights, float *out, unsigned start) {
    unsigned i = weights.count - 1;
    while (weights.of[i].first > blockIdx.x) i--;
    const Weight &x = weights.of[i];
    unsigned at = ((blockIdx.x - x.first) * blockDim.x + threadIdx.x) * 4;
    // By their bits: without the sign, those of infinity and NaN are the greatest.
    bool astray = false;
    for (unsigned j = at; j < min(at + 4, x.n); j++)
        astray = astray || (__float_as_uint(x.g[j]) & 0x7fffffffu) >= 0x7f800000u;
    if (astray) out[start + i] = 0.0f;
}

// One step on each of several weights, unless the number at `when` is 0.
extern "C" __global__ void update(const __grid_constant__ Weights weights, const float *when) {
    if (when && *when == 0.0f) return;
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
                                       unsigned width, unsigned all, const float *when) {
    if (when && *when == 0.0f) return;
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
