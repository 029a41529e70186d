// Sums and maxima along the middle one of three axes.

// Sums of rows [rows, length], or of the `parts` parts of each that `chunk` numbers make.
extern "C" __global__ void sum_rows(const float *__restrict__ x, float *__restrict__ out, unsigned n, unsigned parts,
                                    unsigned length, unsigned chunk, unsigned size) {
    Team team(size);
    if (team.row >= n) return;
    unsigned row = team.row / parts, first = (team.row - row * parts) * chunk;
    x += row * length;
    float sum = team.over<Sum>(first, min(first + chunk, length), [=](unsigned j) { return x[j]; });
    if (team.rank == 0) out[team.row] = sum;
}

// The sums [outer, parts, inner] of [outer, length, inner]. A block has `columns` neighbours on the last axis, and as many
// lanes for each of them as fit; blockIdx.y is the part.
extern "C" __global__ void sum_columns(const float *__restrict__ x, float *__restrict__ out, unsigned length,
                                       unsigned inner, unsigned columns, unsigned chunk) {
    __shared__ float sums[256];
    unsigned tiles = (inner + columns - 1) / columns, outer = blockIdx.x / tiles, tile = blockIdx.x - outer * tiles;
    unsigned lanes = blockDim.x / columns, lane = threadIdx.x / columns, column = tile * columns + threadIdx.x % columns;
    unsigned first = blockIdx.y * chunk, last = min(first + chunk, length);
    // Several running sums, for the sake of the last bits of long ones.
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (lane < lanes && column < inner) {
        x += outer * length * inner + column;
        unsigned i = first + lane;
        for (; i + 3 * lanes < last; i += 4 * lanes)
            for (int k = 0; k < 4; k++) sum[k] += x[(i + k * lanes) * inner];
        for (; i < last; i += lanes) sum[0] += x[i * inner];
    }
    sums[threadIdx.x] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    __syncthreads();
    if (lane == 0 && column < inner) {
        float total = 0.0f;
        for (unsigned k = 0; k < lanes; k++) total += sums[k * columns + threadIdx.x];
        out[(outer * gridDim.y + blockIdx.y) * inner + column] = total;
    }
}

// The greatest of each row.
extern "C" __global__ void most_rows(const float *__restrict__ x, float *__restrict__ out, unsigned rows,
                                     unsigned length, unsigned size) {
    Team team(size);
    if (team.row >= rows) return;
    x += team.row * length;
    float most = team.most(length, [=](unsigned j) { return x[j]; });
    if (team.rank == 0) out[team.row] = most;
}

// The same of [outer, length, inner], a thread for each of n = outer inner.
extern "C" __global__ void most_columns(const float *__restrict__ x, float *__restrict__ out, unsigned n,
                                        unsigned length, unsigned inner) {
    unsigned i = place();
    if (i >= n) return;
    x += i / inner * length * inner + i % inner;
    float most = x[0];
    for (unsigned j = 1; j < length; j++) most = greater(most, x[j * inner]);
    out[i] = most;
}

// Whether a is before b in the order in which a greatest one is looked for: NaN is above all, and the first of equals wins.
__device__ __forceinline__ bool before(float a, unsigned i, float b, unsigned j) {
    bool a_is = a != a, b_is = b != b;
    if (a_is != b_is) return a_is;
    return a > b || ((a_is || a == b) && i < j);
}

// The index of the greatest of each row, a warp a row.
extern "C" __global__ void place_rows(const float *__restrict__ x, unsigned *__restrict__ out, unsigned rows,
                                      unsigned length) {
    Team team(32);
    if (team.row >= rows) return;
    x += team.row * length;
    // A lane without a number of its own takes the first.
    unsigned best = team.rank < length ? team.rank : 0;
    float most = x[best];
    for (unsigned j = best + 32; j < length; j += 32) {
        float other = x[j];
        if (before(other, j, most, best)) most = other, best = j;
    }
    for (int distance = 16; distance > 0; distance /= 2) {
        float other = __shfl_xor_sync(~0u, most, distance);
        unsigned place = __shfl_xor_sync(~0u, best, distance);
        if (before(other, place, most, best)) most = other, best = place;
    }
    if (team.rank == 0) out[team.row] = best;
}

extern "C" __global__ void place_columns(const float *__restrict__ x, unsigned *__restrict__ out, unsigned n,
                                         unsigned length, unsigned inner) {
    unsigned i = place();
    if (i >= n) return;
    x += i / inner * length * inner + i % inner;
    unsigned best = 0;
    float most = x[0];
    for (unsigned j = 1; j < length; j++) {
        float other = x[j * inner];
        if (before(other, j, most, best)) most = other, best = j;
    }
    out[i] = best;
}
