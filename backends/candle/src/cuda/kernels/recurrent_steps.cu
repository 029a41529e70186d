// Recurrent networks step by step: a kernel for each step, between matrix products of cuBLAS. A thread has one unit of one
// sequence. `GATES` tells the cell; each has a program of its own.

// The output before step `s`: what its product takes, but for the dropout. Where there is one, `h` has the output.
__device__ __forceinline__ float before(const Network &x, size_t at, unsigned i, unsigned unit) {
    return x.dropout ? x.h[i] : *x.taken_at(at, unit);
}

// What the first step's product takes.
extern "C" __global__ void begin(Network x) {
    unsigned i = place();
    if (i >= x.n * x.u) return;
    float h = x.first_h ? x.first_h[i] : 0.0f;
    if (x.dropout) x.h[i] = h;
    *x.taken_at(x.at(i / x.u, 0), i % x.u) = x.dropout ? h * x.dropout[i] : h;
}

// Step `s` forward. The product of an Elman network or an LSTM is in `gates` already.
template <int G>
__device__ void step(const Network &x, int s) {
    unsigned i = place(), u = x.u;
    if (i >= x.n * u) return;
    unsigned row = i / u, unit = i % u;
    size_t at = x.at(row, s);
    State state = {0.0f, G == 4 ? x.cell_before(row, unit, s) : 0.0f};
    if (x.there(at)) {
        float z[G], v[G];
        for (int g = 0; g < G; g++) {
            z[g] = x.gates[(at * G + g) * u + unit];
            v[g] = G == 3 && x.product ? x.product[((size_t)row * G + g) * u + unit] : 0.0f;
            if (x.bias) v[g] += x.bias[g * u + unit];
        }
        // What a GRU lets stay of it; an LSTM's output comes from its cell.
        if (G == 3) state.h = before(x, at, i, unit);
        float inner = values<G>(x.sigma, x.f, z, v, state);
        for (int g = 0; g < G; g++) x.gates[(at * G + g) * u + unit] = z[g];
        if (G == 3) x.inner[at * u + unit] = inner;
    } else {
        state.h = before(x, at, i, unit);
    }
    bool last = s + 1 == x.t;
    if (G == 4) x.inner[at * u + unit] = state.c;
    if (G == 4 && last) x.c[i] = state.c;
    if (x.outputs) x.outputs[at * u + unit] = state.h;
    if (last || x.dropout) x.h[i] = state.h;
    if (!last) *x.taken_at(x.at(row, s + 1), unit) = x.dropout ? state.h * x.dropout[i] : state.h;
}

// Step `s` back. `product` is the gradient for what the next step's product took; there is none before the last step.
template <int G>
__device__ void step_back(const Network &x, int s) {
    unsigned i = place(), u = x.u;
    if (i >= x.n * u) return;
    unsigned row = i / u, unit = i % u;
    size_t at = x.at(row, s);
    // Past a GRU's and a masked step goes a part of the gradient; all else goes through the products.
    bool passes = G == 3 || x.mask;
    State d = {passes || s + 1 == x.t ? x.dh[i] : 0.0f, G == 4 ? x.dc[i] : 0.0f};
    if (x.product) d.h += x.dropout ? x.product[i] * x.dropout[i] : x.product[i];
    if (x.d_outputs) d.h += x.d_outputs[at * u + unit];
    float dz[G] = {}, dv[G] = {};
    if (x.there(at)) gradients<G>(x.sigma, x.f, saved<G>(x, row, unit, s), d, dz, dv);
    for (int g = 0; g < G; g++) {
        x.dz[(at * G + g) * u + unit] = dz[g];
        if (G == 3) x.dv[(at * G + g) * u + unit] = dv[g];
    }
    if (passes || s == 0) x.dh[i] = d.h;
    if (G == 4) x.dc[i] = d.c;
}

// What came through the first step's product.
extern "C" __global__ void end_back(Network x) {
    unsigned i = place();
    if (i < x.n * x.u) x.dh[i] += x.dropout ? x.product[i] * x.dropout[i] : x.product[i];
}

extern "C" __global__ void forward(Network x, int s) { step<GATES>(x, s); }
extern "C" __global__ void backward(Network x, int s) { step_back<GATES>(x, s); }
