// One unit of one sequence in a step of a recurrent network, forward and back. `G` is the number of gates, which tells the
// cell: 1 Elman, 3 GRU with the reset gate after the product, 4 LSTM. Gates stand in Keras' order.

// A function by its number (`function` in recurrent/mod.rs), with its parameter.
struct Function {
    unsigned number;
    float parameter;
};

__device__ __forceinline__ float value(Function f, float x) {
    switch (f.number) {
    case 1: return sigmoid(x);
    case 2: return tanhf(x);
    case 3: return lesser(greater(x * f.parameter + 0.5f, 0.0f), 1.0f);  // hard sigmoid
    case 4: return x > 0.0f || x != x ? x : x * f.parameter;            // ReLU, leaky or not
    default: return x;
    }
}

// The slope where the function has the value y.
__device__ __forceinline__ float slope(Function f, float y) {
    switch (f.number) {
    case 1: return y * (1.0f - y);
    case 2: return 1.0f - y * y;
    case 3: return y > 0.0f && y < 1.0f ? f.parameter : 0.0f;
    case 4: return y > 0.0f ? 1.0f : f.parameter;
    default: return 1.0f;
    }
}

// What belongs to a sequence from step to step: the output, and the LSTM's cell state.
struct State {
    float h, c;
};

// A step. `z` holds the inputs' part of the pre-activations and then the gates' values; `v` is the recurrent part. Gives what
// the way back needs besides: the LSTM's new cell state, the GRU's part of the candidate that the reset gate lets through.
template <int G>
__device__ __forceinline__ float values(Function sigma, Function f, float (&z)[G], const float (&v)[G], State &state) {
    if constexpr (G == 4) {
        z[0] = value(sigma, z[0] + v[0]);
        z[1] = value(sigma, z[1] + v[1]);
        z[2] = value(f, z[2] + v[2]);
        z[3] = value(sigma, z[3] + v[3]);
        state.c = z[1] * state.c + z[0] * z[2];
        state.h = z[3] * value(f, state.c);
        return state.c;
    } else if constexpr (G == 3) {
        z[0] = value(sigma, z[0] + v[0]);
        z[1] = value(sigma, z[1] + v[1]);
        z[2] = value(f, z[2] + z[1] * v[2]);
        state.h = z[0] * state.h + (1.0f - z[0]) * z[2];
        return v[2];
    } else {
        z[0] = value(f, z[0] + v[0]);
        state.h = z[0];
        return 0.0f;
    }
}

// What a step has left for the way back.
template <int G>
struct Saved {
    float gates[G];
    float inner;        // what `values` has given
    State before;
};

// The step back. `d` holds the gradients for the new state and then those for the state before, as far as they do not go
// through the product. `dz` becomes the gradient for the pre-activations, `dv` that for the recurrent part.
template <int G>
__device__ __forceinline__ void gradients(Function sigma, Function f, const Saved<G> &y, State &d, float (&dz)[G],
                                          float (&dv)[G]) {
    if constexpr (G == 4) {
        float squashed = value(f, y.inner);
        float dc = d.c + d.h * y.gates[3] * slope(f, squashed);
        dz[0] = dc * y.gates[2] * slope(sigma, y.gates[0]);
        dz[1] = dc * y.before.c * slope(sigma, y.gates[1]);
        dz[2] = dc * y.gates[0] * slope(f, y.gates[2]);
        dz[3] = d.h * squashed * slope(sigma, y.gates[3]);
        d.c = dc * y.gates[1];
        d.h = 0.0f;
    } else if constexpr (G == 3) {
        dz[0] = d.h * (y.before.h - y.gates[2]) * slope(sigma, y.gates[0]);
        dz[2] = d.h * (1.0f - y.gates[0]) * slope(f, y.gates[2]);
        dz[1] = dz[2] * y.inner * slope(sigma, y.gates[1]);
        d.h = d.h * y.gates[0];
    } else {
        dz[0] = d.h * slope(f, y.gates[0]);
        d.h = 0.0f;
    }
    for (int g = 0; g < G; g++) dv[g] = dz[g];
    if constexpr (G == 3) dv[2] = dz[2] * y.gates[1];
}

// Arrays and sizes of a recurrent network over sequences [n, t, ..]; `Network` in recurrent/mod.rs has the same fields. Null
// stands for what there is none of.
struct Network {
    float *gates;           // [n, t, G u]: the inputs' part of the pre-activations, and the gates' values after a step
    float *taken;           // [n, t, width], of which u: what the product of each step takes, the output before it with its
                            // dropout; beside it may stand the inputs
    float *inner;           // [n, t, u]: what `values` gives; of an LSTM always there
    float *outputs;         // [n, t, u]
    float *h, *c;           // [n, u]: at last the last states
    const float *first_h, *first_c;  // [n, u]
    const float *weights;   // U [u, G u]
    const float *bias;      // [G u]: a GRU's for the recurrent part; else the inputs', if `gates` is without it
    const float *mask;      // [n, t]
    const float *dropout;   // [n, u]
    const float *d_outputs; // [n, t, u]: gradients for the outputs
    float *dh, *dc;         // [n, u]: for the last states, at last for the first ones
    float *dz, *dv;         // [n, t, G u]: for the pre-activations, and for their recurrent part: the same but for a GRU
    float *d_bias;          // [n, G u]: the sum of dz over the steps of each sequence, if it is wanted
    float *product;         // what came out of the step's matrix product, [n, G u] forward, [n, u] back
    int n, t, u, width;
    unsigned reverse;       // the walk goes from the last step to the first
    Function sigma, f;

    // The place of a sequence's step among all of them, by its number in the walk.
    __device__ __forceinline__ size_t at(int row, int s) const {
        return (size_t)row * t + (reverse ? t - 1 - s : s);
    }
    // Where what a step's product takes is, of a unit.
    __device__ __forceinline__ float *taken_at(size_t at, int unit) const { return taken + at * width + unit; }
    // Whether a step takes place.
    __device__ __forceinline__ bool there(size_t at) const { return !mask || mask[at] != 0.0f; }
    // The LSTM's cell state before step `s` of the walk.
    __device__ __forceinline__ float cell_before(int row, int unit, int s) const {
        if (s > 0) return inner[at(row, s - 1) * u + unit];
        return first_c ? first_c[row * u + unit] : 0.0f;
    }
};

// What step `s` back needs of the way forward, for one unit of a sequence.
template <int G>
__device__ __forceinline__ Saved<G> saved(const Network &x, int row, int unit, int s) {
    size_t at = x.at(row, s), place = at * x.u + unit;
    Saved<G> y;
    for (int g = 0; g < G; g++) y.gates[g] = x.gates[(at * G + g) * x.u + unit];
    y.inner = G == 1 ? 0.0f : x.inner[place];
    // A GRU with dropout is not done here, so that what was taken is the output before.
    y.before.h = G == 3 ? *x.taken_at(at, unit) : 0.0f;
    y.before.c = G == 4 ? x.cell_before(row, unit, s) : 0.0f;
    return y;
}
