// Rows of tables by index.

// Row i of the result is row rows[i] of the table; n numbers in all.
extern "C" __global__ void gather(unsigned n, const float *__restrict__ table, const unsigned *__restrict__ rows,
                                  float *__restrict__ out, unsigned width) {
    unsigned i = place() * 4;
    if (i >= n) return;
    unsigned count = min(4u, n - i), row = i / width, column = i - row * width;
    float v[4];
    if (width % 4 == 0) {
        read(v, table + rows[row] * width + column, 1);
    } else {
        for (int j = 0; j < 4; j++) {
            unsigned at = min(i + j, n - 1);
            v[j] = table[rows[at / width] * width + at % width];
        }
    }
    write(out + i, v, count);
}

extern "C" __global__ void one_hot(unsigned n, const unsigned *__restrict__ indices, float *__restrict__ out,
                                   unsigned classes) {
    unsigned i = place();
    if (i < n) out[i] = i % classes == indices[i / classes] ? 1.0f : 0.0f;
}

// A warp adds up the rows of `values` of a segment, those at positions[starts[s]] to positions[starts[s + 1]], each times its
// factor if there are factors, and writes the sum to row targets[s] of `out`, or of `parts` if the highest bit is set. Without
// positions a row is its own. blockIdx.y is a tile of 128 columns.
extern "C" __global__ void sum_segments(const float *__restrict__ values, const unsigned *__restrict__ positions,
                                        const float *__restrict__ factors, const unsigned *__restrict__ starts,
                                        const unsigned *__restrict__ targets, float *__restrict__ out,
                                        float *__restrict__ parts, unsigned segments, unsigned width) {
    unsigned segment = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (segment >= segments) return;
    unsigned first = starts[segment], last = starts[segment + 1], target = targets[segment];
    float *to = (target >> 31 ? parts : out) + (target & 0x7fffffffu) * width;
    auto row = [=](unsigned i) { return values + (positions ? positions[i] : i) * width; };
    auto factor = [=](unsigned i) { return factors ? factors[i] : 1.0f; };
    if (width % 4 == 0 && together(values)) {
        unsigned column = blockIdx.y * 128 + lane * 4;
        if (column >= width) return;
        float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll 4
        for (unsigned i = first; i < last; i++) {
            float v[4];
            read(v, row(i) + column, 1);
            for (int j = 0; j < 4; j++) sum[j] += factor(i) * v[j];
        }
        write(to + column, sum, 4);
        return;
    }
    for (unsigned column = blockIdx.y * 128 + lane; column < min(blockIdx.y * 128 + 128, width); column += 32) {
        float sum = 0.0f;
#pragma unroll 4
        for (unsigned i = first; i < last; i++) sum += factor(i) * row(i)[column];
        to[column] = sum;
    }
}
