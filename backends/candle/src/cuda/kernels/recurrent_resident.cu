// Recurrent networks in one launch: every block keeps a part of the recurrent weights on its processor for all steps, and
// blocks hand each other the states through memory.
//
// The grid is `slices` by `groups`: a block has `units` units of `rows` sequences. The blocks of a group have all units of
// its sequences between them, and after each step wait for each other; groups know nothing of each other. All blocks must
// be running at the same time. `GATES` tells the cell; each has a program of its own.
//
// A step is a product of the group's states, which are read anew into shared memory, with the block's weights, which
// stay there. Each thread sums up a tile of 4 by 4 for a part of the terms ("way"), and who needs a sum adds up the ways.

#define PAIRS 4

// How the work is cut; the same fields as in recurrent/resident.rs.
struct Cut {
    unsigned slices, units, rows;  // blocks to a group; `units` and `rows` are multiples of 4
    unsigned chunk;                // terms whose states are in shared memory at a time; a multiple of 8
    unsigned width, height;        // from a term's weights and states to the next one's, in shared memory
    unsigned tensor_cores;         // multiply TF32 there; `rows` and columns are multiples of 8 and 16
    unsigned *arrived;             // [groups], 0: blocks that have finished a step, counted over all steps
};

// The block's view of the cut for a product of `terms` terms and `columns` columns.
struct Block {
    unsigned unit, row;  // its first ones
    unsigned terms, columns, rows, chunk, width, height;
    unsigned ways;
    bool tensor_cores;
    float *weights, *states, *sums;  // [terms, width], [chunk, height], [ways, rows, columns]

    __device__ Block(const Cut &cut, unsigned terms, unsigned columns, float *shared)
        : unit(blockIdx.x * cut.units), row(blockIdx.y * cut.rows), terms(terms), columns(columns), rows(cut.rows),
          chunk(cut.chunk), width(cut.width), height(cut.height), tensor_cores(cut.tensor_cores), weights(shared),
          states(shared + (terms + 7) / 8 * 8 * cut.width), sums(states + cut.chunk * cut.height) {
        ways = tensor_cores ? WARPS / fragments::shares(columns, rows) : THREADS / (columns / 4 * (rows / 4));
    }

    // Puts a weight in its place, rounded if need be.
    __device__ __forceinline__ void put(unsigned term, unsigned column, float weight) {
        weights[term * width + column] = tensor_cores ? fragments::rounded(weight) : weight;
    }

    // The sum of all ways.
    __device__ __forceinline__ float sum(unsigned row, unsigned column) const {
        float total = 0.0f;
        for (unsigned way = 0; way < ways; way++) total += sums[(way * rows + row) * columns + column];
        return total;
    }
};

// States on their way to shared memory: so many fours of terms for each thread.
#define FOURS 4
struct Ahead {
    float four[FOURS][4];
};

// Asks for terms `first ..` of the states of each row, from the first row's on (the next is `stride` further). Other blocks have
// just written them, so they are read past the first cache. Neighbouring threads have neighbouring rows, so that they will
// write to neighbouring places.
__device__ __forceinline__ void load(Ahead &ahead, const Block &b, const float *from, size_t stride, unsigned rows_there,
                                     unsigned first) {
#pragma unroll
    for (int j = 0; j < FOURS; j++) {
        unsigned i = j * THREADS + threadIdx.x, row = i % b.rows, term = first + i / b.rows * 4;
        bool there = row < rows_there && term < b.terms && term < first + b.chunk;
        unsigned count = there ? min(4u, b.terms - term) : 0;
        const float *state = from + row * stride + term;
        float4 all = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (count == 4 && ((u64)state & 15) == 0) {
            all = __ldcg((const float4 *)state);
        } else {
            if (count > 0) all.x = __ldcg(state);
            if (count > 1) all.y = __ldcg(state + 1);
            if (count > 2) all.z = __ldcg(state + 2);
            if (count > 3) all.w = __ldcg(state + 3);
        }
        ahead.four[j][0] = all.x, ahead.four[j][1] = all.y, ahead.four[j][2] = all.z, ahead.four[j][3] = all.w;
    }
}

// Puts them there; beyond the last term there are zeros.
__device__ __forceinline__ void put(const Ahead &ahead, const Block &b) {
#pragma unroll
    for (int j = 0; j < FOURS; j++) {
        unsigned i = j * THREADS + threadIdx.x, row = i % b.rows, term = i / b.rows * 4;
        if (term >= b.chunk) break;
        for (unsigned k = 0; k < 4; k++) {
            float state = ahead.four[j][k];
            b.states[(term + k) * b.height + row] = b.tensor_cores ? fragments::rounded(state) : state;
        }
    }
}

// The product of the states at `from` with the block's weights, into its sums. The next chunk of states is on its way while
// one is multiplied.
__device__ void product(const Block &b, const float *from, size_t stride, unsigned rows_there) {
    unsigned across = b.columns / 4, tiles = across * (b.rows / 4);
    unsigned tile = threadIdx.x % tiles, way = threadIdx.x / tiles;
    unsigned column = tile % across * 4, row = tile / across * 4;
    float sums[4][4] = {};
    fragments::Sums tensor = {};
    Ahead ahead;
    load(ahead, b, from, stride, rows_there, 0);
    for (unsigned first = 0; first < b.terms; first += b.chunk) {
        unsigned terms = min(b.chunk, b.terms - first);
        __syncthreads();
        put(ahead, b);
        __syncthreads();
        if (first + b.chunk < b.terms) load(ahead, b, from, stride, rows_there, first + b.chunk);
        const float *weights = b.weights + first * b.width;
        if (b.tensor_cores) {
            fragments::multiply(tensor, weights, b.width, b.columns, b.states, b.height, b.rows, (terms + 7) / 8);
        } else if (way < b.ways) {
#pragma unroll 4
            for (unsigned k = way; k < terms; k += b.ways) {
                float4 w = *(const float4 *)(weights + k * b.width + column);
                float4 r = *(const float4 *)(b.states + k * b.height + row);
                const float of_w[4] = {w.x, w.y, w.z, w.w}, of_r[4] = {r.x, r.y, r.z, r.w};
#pragma unroll
                for (int i = 0; i < 4; i++) {
#pragma unroll
                    for (int j = 0; j < 4; j++) sums[i][j] += of_r[i] * of_w[j];
                }
            }
        }
    }
    if (b.tensor_cores) {
        fragments::store(tensor, b.sums, b.columns, b.rows);
    } else if (way < b.ways) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float *to = b.sums + (way * b.rows + row + i) * b.columns + column;
            *(float4 *)to = make_float4(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
        }
    }
    __syncthreads();
}

// Tells the group that this block has written what belongs to its step.
__device__ void arrive(const Cut &cut) {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(cut.arrived + blockIdx.y, 1u);
    }
}

// Waits until all blocks of the group have arrived `times` times.
__device__ void wait(const Cut &cut, unsigned times) {
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
    unsigned row, unit;    // in the block
    int sequence, number;  // in the network
    bool exists;

    __device__ __forceinline__ Pair(const Block &b, const Cut &cut, const Network &x, int p) {
        unsigned i = p * THREADS + threadIdx.x;
        row = i / cut.units, unit = i % cut.units;
        sequence = b.row + row, number = b.unit + unit;
        exists = row < cut.rows && sequence < x.n && number < x.u;
    }
};

template <int G>
__device__ void walk(const Network &x, const Cut &cut) {
    extern __shared__ __align__(16) float shared[];
    Block b(cut, x.u, G * cut.units, shared);
    for (unsigned i = threadIdx.x; i < (b.terms + 7) / 8 * 8 * b.columns; i += THREADS) {
        unsigned term = i / b.columns, column = i % b.columns, g = column / cut.units, unit = b.unit + column % cut.units;
        bool there = unit < x.u && term < b.terms;
        b.put(term, column, there ? x.weights[((size_t)term * G + g) * x.u + unit] : 0.0f);
    }
    unsigned rows = min((int)b.rows, x.n - (int)b.row);
    State states[PAIRS];
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
        Pair pair(b, cut, x, p);
        if (!pair.exists) continue;
        unsigned i = pair.sequence * x.u + pair.number;
        states[p] = {x.first_h ? x.first_h[i] : 0.0f, G == 4 && x.first_c ? x.first_c[i] : 0.0f};
        *x.taken_at(x.at(pair.sequence, 0), pair.number) = x.dropout ? states[p].h * x.dropout[i] : states[p].h;
    }
    arrive(cut);
    for (int s = 0; s < x.t; s++) {
        // The inputs' part does not depend on the other blocks: it comes while they are waited for.
        float z[PAIRS][G];
        bool there[PAIRS];
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            Pair pair(b, cut, x, p);
            size_t at = pair.exists ? x.at(pair.sequence, s) : 0;
            there[p] = pair.exists && x.there(at);
            for (int g = 0; g < G; g++) z[p][g] = there[p] ? x.gates[(at * G + g) * x.u + pair.number] : 0.0f;
        }
        // Nothing comes out of a product with zeros.
        bool any = s > 0 || x.first_h;
        if (any) {
            wait(cut, s + 1);
            product(b, x.taken_at(x.at(b.row, s), 0), (size_t)x.t * x.width, rows);
        }
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            Pair pair(b, cut, x, p);
            if (!pair.exists) continue;
            size_t at = x.at(pair.sequence, s), place = at * x.u + pair.number;
            if (there[p]) {
                float v[G];
                for (int g = 0; g < G; g++) {
                    v[g] = any ? b.sum(pair.row, g * cut.units + pair.unit) : 0.0f;
                    if (x.bias) v[g] += x.bias[g * x.u + pair.number];
                }
                float inner = values<G>(x.sigma, x.f, z[p], v, states[p]);
                for (int g = 0; g < G; g++) x.gates[(at * G + g) * x.u + pair.number] = z[p][g];
                if (G == 3) x.inner[place] = inner;
            }
            if (G == 4) x.inner[place] = states[p].c;
            if (x.outputs) x.outputs[place] = states[p].h;
            if (s + 1 < x.t) {
                float r = states[p].h;
                if (x.dropout) r *= x.dropout[pair.sequence * x.u + pair.number];
                *x.taken_at(x.at(pair.sequence, s + 1), pair.number) = r;
            }
        }
        if (s + 1 < x.t) arrive(cut);
    }
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
        Pair pair(b, cut, x, p);
        if (!pair.exists) continue;
        unsigned i = pair.sequence * x.u + pair.number;
        x.h[i] = states[p].h;
        if (G == 4) x.c[i] = states[p].c;
    }
}

template <int G>
__device__ void walk_back(const Network &x, const Cut &cut) {
    extern __shared__ __align__(16) float shared[];
    Block b(cut, G * x.u, cut.units, shared);
    // The block's rows of U, transposed.
    unsigned terms = (b.terms + 7) / 8 * 8;
    for (unsigned i = threadIdx.x; i < terms * b.columns; i += THREADS) {
        unsigned term = i % terms, column = i / terms, unit = b.unit + column;
        bool there = unit < x.u && term < b.terms;
        b.put(term, column, there ? x.weights[(size_t)unit * b.terms + term] : 0.0f);
    }
    unsigned rows = min((int)b.rows, x.n - (int)b.row);
    const float *of_product = G == 3 ? x.dv : x.dz;
    State d[PAIRS];
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
        Pair pair(b, cut, x, p);
        if (!pair.exists) continue;
        unsigned i = pair.sequence * x.u + pair.number;
        d[p] = {x.dh[i], G == 4 ? x.dc[i] : 0.0f};
    }
    for (int s = x.t - 1; s >= 0; s--) {
        Saved<G> y[PAIRS];
        bool there[PAIRS];
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            Pair pair(b, cut, x, p);
            there[p] = pair.exists && x.there(x.at(pair.sequence, s));
            if (there[p]) y[p] = saved<G>(x, pair.sequence, pair.number, s);
            if (pair.exists && x.d_outputs) d[p].h += x.d_outputs[x.at(pair.sequence, s) * x.u + pair.number];
        }
        if (s + 1 < x.t) {
            wait(cut, x.t - 1 - s);
            product(b, of_product + x.at(b.row, s + 1) * b.terms, (size_t)x.t * b.terms, rows);
        }
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            Pair pair(b, cut, x, p);
            if (!pair.exists) continue;
            if (s + 1 < x.t) {
                float dr = b.sum(pair.row, pair.unit);
                d[p].h += x.dropout ? dr * x.dropout[pair.sequence * x.u + pair.number] : dr;
            }
            float dz[G] = {}, dv[G] = {};
            if (there[p]) gradients<G>(x.sigma, x.f, y[p], d[p], dz, dv);
            size_t at = x.at(pair.sequence, s);
            for (int g = 0; g < G; g++) {
                x.dz[(at * G + g) * x.u + pair.number] = dz[g];
                if (G == 3) x.dv[(at * G + g) * x.u + pair.number] = dv[g];
            }
        }
        if (s > 0 || x.first_h) arrive(cut);
    }
    if (x.first_h) {
        wait(cut, x.t);
        product(b, of_product + x.at(b.row, 0) * b.terms, (size_t)x.t * b.terms, rows);
    }
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
        Pair pair(b, cut, x, p);
        if (!pair.exists) continue;
        unsigned i = pair.sequence * x.u + pair.number;
        if (x.first_h) {
            float dr = b.sum(pair.row, pair.unit);
            d[p].h += x.dropout ? dr * x.dropout[i] : dr;
        }
        x.dh[i] = d[p].h;
        if (G == 4) x.dc[i] = d[p].c;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) forward(Network x, Cut cut) { walk<GATES>(x, cut); }
extern "C" __global__ void __launch_bounds__(THREADS, 1) backward(Network x, Cut cut) { walk_back<GATES>(x, cut); }
