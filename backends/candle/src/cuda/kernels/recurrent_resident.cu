// Recurrent networks in one launch: every block keeps a part of the recurrent weights on its processor for all steps, and
// blocks hand each other the states through memory.
//
// The grid is `slices` by `groups`: a block has `units` units of `rows` sequences. The blocks of a group have all units of
// its sequences between them, and after each step wait for each other; groups know nothing of each other. All blocks must
// be running at the same time. `GATES` tells the cell, and `Product` how numbers are multiplied; each has a program of its own.
//
// A step is a product of the group's states, which are read anew into shared memory, with the block's weights, which
// stay there. Threads sum up tiles for a part of the terms ("way"), and who needs a sum adds up the ways.

#define PAIRS 4

// How the work is cut; the same fields as in recurrent/resident.rs.
struct Cut {
    unsigned slices, units, rows;  // blocks to a group; `units` and `rows` are multiples of 4
    unsigned chunk;                // terms whose states are in shared memory at a time; a multiple of 8
    unsigned width, height;        // from a term's weights and states to the next one's, in shared memory
    unsigned tall;                 // tiles are tall
    unsigned *arrived;             // [groups], 0: blocks that have finished a step, counted over all steps
};

// The block's view of the cut for a product of `terms` terms and `columns` columns.
struct Block {
    unsigned unit, row;  // its first ones
    unsigned terms, columns, rows, chunk, width, height;
    float *weights, *states, *sums;  // [terms, width], [chunk, height], [ways, rows, columns]

    __device__ Block(const Cut &cut, unsigned terms, unsigned columns, float *shared)
        : unit(blockIdx.x * cut.units), row(blockIdx.y * cut.rows), terms(terms), columns(columns), rows(cut.rows),
          chunk(cut.chunk), width(cut.width), height(cut.height), weights(shared),
          states(shared + (terms + 7) / 8 * 8 * cut.width), sums(states + cut.chunk * cut.height) {}

    // Fills the weights with `of(term, column)`, and with zeros up to a multiple of 8 terms.
    template <class F> __device__ __forceinline__ void keep(F of) {
        for (unsigned i = threadIdx.x; i < (terms + 7) / 8 * 8 * columns; i += THREADS) {
            unsigned term = i / columns, column = i % columns;
            weights[term * width + column] = term < terms ? Product::taken(of(term, column)) : 0.0f;
        }
    }

    // The sum of all ways.
    __device__ __forceinline__ float sum(unsigned ways, unsigned row, unsigned column) const {
        float total = 0.0f;
#pragma unroll 4
        for (unsigned way = 0; way < ways; way++) total += sums[(way * rows + row) * columns + column];
        return total;
    }
};

// States on their way to shared memory: so many fours of terms for each thread. Two neighbouring threads have eight terms of a
// row, as much as comes at once; then follow neighbouring rows, so that they will write to neighbouring places.
#define FOURS 4
struct Ahead {
    unsigned row[FOURS], term[FOURS];  // the terms from the chunk's first on
    float four[FOURS][4];

    __device__ __forceinline__ Ahead(unsigned rows) {
#pragma unroll
        for (int j = 0; j < FOURS; j++) {
            unsigned i = j * THREADS + threadIdx.x;
            row[j] = i / 2 % rows, term[j] = i / 2 / rows * 8 + i % 2 * 4;
        }
    }

    // Asks for terms `first ..` of the states of each row, from the first row's on (the next is `stride` further). Other blocks
    // have just written them, so they are read past the first cache.
    __device__ __forceinline__ void load(const Block &b, const float *from, size_t stride, unsigned rows_there,
                                         unsigned first) {
#pragma unroll
        for (int j = 0; j < FOURS; j++) {
            bool there = row[j] < rows_there && term[j] < b.chunk && first + term[j] < b.terms;
            unsigned count = there ? min(4u, b.terms - first - term[j]) : 0;
            const float *state = from + row[j] * stride + first + term[j];
            float4 all = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (count == 4 && ((u64)state & 15) == 0) {
                all = __ldcg((const float4 *)state);
            } else {
                if (count > 0) all.x = __ldcg(state);
                if (count > 1) all.y = __ldcg(state + 1);
                if (count > 2) all.z = __ldcg(state + 2);
                if (count > 3) all.w = __ldcg(state + 3);
            }
            four[j][0] = all.x, four[j][1] = all.y, four[j][2] = all.z, four[j][3] = all.w;
        }
    }

    // Puts them there; beyond the last term there are zeros.
    __device__ __forceinline__ void put(const Block &b) const {
#pragma unroll
        for (int j = 0; j < FOURS; j++) {
            if (term[j] >= b.chunk) break;
            for (unsigned k = 0; k < 4; k++) b.states[(term[j] + k) * b.height + row[j]] = Product::taken(four[j][k]);
        }
    }
};

// The product of the states at `from` with the block's weights, into its sums. The next chunk of states is on its way while
// one is multiplied.
__device__ __forceinline__ void multiply(Product &product, Ahead &ahead, const Block &b, const float *from, size_t stride,
                                         unsigned rows_there) {
    product.clear();
    ahead.load(b, from, stride, rows_there, 0);
    for (unsigned first = 0; first < b.terms; first += b.chunk) {
        __syncthreads();
        ahead.put(b);
        __syncthreads();
        if (first + b.chunk < b.terms) ahead.load(b, from, stride, rows_there, first + b.chunk);
        product.add(b.weights + first * b.width, b.width, b.states, b.height, min(b.chunk, b.terms - first));
    }
    product.store(b.sums, b.columns, b.rows);
    __syncthreads();
}

// Tells the group that this block has written what belongs to its step.
__device__ __forceinline__ void arrive(const Cut &cut) {
    __syncthreads();
    if (threadIdx.x == 0)
        asm volatile("red.release.gpu.global.add.u32 [%0], 1;" : : "l"(cut.arrived + blockIdx.y) : "memory");
}

// Waits until all blocks of the group have arrived `times` times.
__device__ __forceinline__ void wait(const Cut &cut, unsigned times) {
    if (threadIdx.x == 0) {
        unsigned arrived;
        do {
            asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(arrived) : "l"(cut.arrived + blockIdx.y) : "memory");
        } while (arrived < times * cut.slices);
    }
    __syncthreads();
}

// The pairs of a row and a unit that a thread has: pair `p` is number `p THREADS + threadIdx.x` of the block's. Neighbours
// have neighbouring units.
struct Pair {
    int sequence, number;  // in the network; no sequence where there is no pair

    __device__ __forceinline__ Pair() {}
    __device__ __forceinline__ Pair(const Block &b, const Cut &cut, const Network &x, int p) {
        unsigned i = p * THREADS + threadIdx.x, row = i / cut.units;
        sequence = b.row + row, number = b.unit + i % cut.units;
        if (row >= cut.rows || sequence >= x.n || number >= x.u) sequence = -1;
    }
    __device__ __forceinline__ bool exists() const { return sequence >= 0; }
};

template <int G>
__device__ __forceinline__ void walk(const Network &x, const Cut &cut) {
    extern __shared__ __align__(16) float shared[];
    Block b(cut, x.u, G * cut.units, shared);
    Product product(b.columns, b.rows, cut.tall);
    Ahead ahead(b.rows);
    b.keep([&](unsigned term, unsigned column) {
        unsigned g = column / cut.units, unit = b.unit + column % cut.units;
        return unit < x.u ? x.weights[((size_t)term * G + g) * x.u + unit] : 0.0f;
    });
    unsigned rows = min((int)b.rows, x.n - (int)b.row);
    // What a pair has for all steps.
    Pair pairs[PAIRS];
    State states[PAIRS];
    float bias[PAIRS][G], dropout[PAIRS];
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
        Pair &pair = pairs[p] = Pair(b, cut, x, p);
        if (!pair.exists()) continue;
        unsigned i = pair.sequence * x.u + pair.number;
        states[p] = {x.first_h ? x.first_h[i] : 0.0f, G == 4 && x.first_c ? x.first_c[i] : 0.0f};
        dropout[p] = x.dropout ? x.dropout[i] : 1.0f;
        for (int g = 0; g < G; g++) bias[p][g] = x.bias ? x.bias[g * x.u + pair.number] : 0.0f;
        *x.taken_at(x.at(pair.sequence, 0), pair.number) = states[p].h * dropout[p];
    }
    arrive(cut);
    for (int s = 0; s < x.t; s++) {
        // The inputs' part does not depend on the other blocks: it comes while they are waited for.
        float z[PAIRS][G], inner[PAIRS];
        bool there[PAIRS];
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            const Pair &pair = pairs[p];
            size_t at = pair.exists() ? x.at(pair.sequence, s) : 0;
            there[p] = pair.exists() && x.there(at);
            for (int g = 0; g < G; g++) z[p][g] = there[p] ? x.gates[(at * G + g) * x.u + pair.number] : 0.0f;
        }
        // Nothing comes out of a product with zeros.
        bool any = s > 0 || x.first_h;
        if (any) {
            wait(cut, s + 1);
            multiply(product, ahead, b, x.taken_at(x.at(b.row, s), 0), (size_t)x.t * x.width, rows);
        }
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            const Pair &pair = pairs[p];
            if (!pair.exists()) continue;
            if (there[p]) {
                float v[G];
                for (int g = 0; g < G; g++) {
                    v[g] = bias[p][g];
                    if (any) v[g] += b.sum(product.ways, pair.sequence - b.row, g * cut.units + pair.number - b.unit);
                }
                inner[p] = values<G>(x.sigma, x.f, z[p], v, states[p]);
            }
            if (s + 1 < x.t) *x.taken_at(x.at(pair.sequence, s + 1), pair.number) = states[p].h * dropout[p];
        }
        // The others wait for no more than that.
        if (s + 1 < x.t) arrive(cut);
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            const Pair &pair = pairs[p];
            if (!pair.exists()) continue;
            size_t at = x.at(pair.sequence, s), place = at * x.u + pair.number;
            if (there[p]) {
                for (int g = 0; g < G; g++) x.gates[(at * G + g) * x.u + pair.number] = z[p][g];
                if (G == 3) x.inner[place] = inner[p];
            }
            if (G == 4) x.inner[place] = states[p].c;
            if (x.outputs) x.outputs[place] = states[p].h;
        }
    }
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
        if (!pairs[p].exists()) continue;
        unsigned i = pairs[p].sequence * x.u + pairs[p].number;
        x.h[i] = states[p].h;
        if (G == 4) x.c[i] = states[p].c;
    }
}

template <int G>
__device__ __forceinline__ void walk_back(const Network &x, const Cut &cut) {
    extern __shared__ __align__(16) float shared[];
    Block b(cut, G * x.u, cut.units, shared);
    Product product(b.columns, b.rows, cut.tall);
    Ahead ahead(b.rows);
    // The block's rows of U, transposed.
    b.keep([&](unsigned term, unsigned column) {
        unsigned unit = b.unit + column;
        return unit < x.u ? x.weights[(size_t)unit * b.terms + term] : 0.0f;
    });
    unsigned rows = min((int)b.rows, x.n - (int)b.row);
    const float *of_product = G == 3 ? x.dv : x.dz;
    Pair pairs[PAIRS];
    State d[PAIRS];
    float dropout[PAIRS], of_bias[PAIRS][G];
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
        Pair &pair = pairs[p] = Pair(b, cut, x, p);
        for (int g = 0; g < G; g++) of_bias[p][g] = 0.0f;
        if (!pair.exists()) continue;
        unsigned i = pair.sequence * x.u + pair.number;
        d[p] = {x.dh[i], G == 4 ? x.dc[i] : 0.0f};
        dropout[p] = x.dropout ? x.dropout[i] : 1.0f;
    }
    for (int s = x.t - 1; s >= 0; s--) {
        Saved<G> y[PAIRS];
        bool there[PAIRS];
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            const Pair &pair = pairs[p];
            there[p] = pair.exists() && x.there(x.at(pair.sequence, s));
            if (there[p]) y[p] = saved<G>(x, pair.sequence, pair.number, s);
            if (pair.exists() && x.d_outputs) d[p].h += x.d_outputs[x.at(pair.sequence, s) * x.u + pair.number];
        }
        if (s + 1 < x.t) {
            wait(cut, x.t - 1 - s);
            multiply(product, ahead, b, of_product + x.at(b.row, s + 1) * b.terms, (size_t)x.t * b.terms, rows);
        }
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            const Pair &pair = pairs[p];
            if (!pair.exists()) continue;
            if (s + 1 < x.t) d[p].h += b.sum(product.ways, pair.sequence - b.row, pair.number - b.unit) * dropout[p];
            float dz[G] = {}, dv[G] = {};
            if (there[p]) gradients<G>(x.sigma, x.f, y[p], d[p], dz, dv);
            size_t at = x.at(pair.sequence, s);
            for (int g = 0; g < G; g++) {
                x.dz[(at * G + g) * x.u + pair.number] = dz[g];
                if (G == 3) x.dv[(at * G + g) * x.u + pair.number] = dv[g];
                of_bias[p][g] += dz[g];
            }
        }
        if (s > 0 || x.first_h) arrive(cut);
    }
    if (x.first_h) {
        wait(cut, x.t);
        multiply(product, ahead, b, of_product + x.at(b.row, 0) * b.terms, (size_t)x.t * b.terms, rows);
    }
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
        const Pair &pair = pairs[p];
        if (!pair.exists()) continue;
        unsigned i = pair.sequence * x.u + pair.number;
        if (x.first_h) d[p].h += b.sum(product.ways, pair.sequence - b.row, pair.number - b.unit) * dropout[p];
        x.dh[i] = d[p].h;
        if (G == 4) x.dc[i] = d[p].c;
        if (x.d_bias)
            for (int g = 0; g < G; g++) x.d_bias[((size_t)pair.sequence * G + g) * x.u + pair.number] = of_bias[p][g];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) forward(Network x, Cut cut) { walk<GATES>(x, cut); }
extern "C" __global__ void __launch_bounds__(THREADS, 1) backward(Network x, Cut cut) { walk_back<GATES>(x, cut); }
