// Products by tensor cores: TF32 numbers, sums of 32 bits.
//
// `mma.m16n8k8` multiplies 16 columns of weights with 8 rows of states over 8 terms. A warp has up to eight such tiles
// ("share"); warps beyond those that all tiles need take turns at the terms ("way").

#define THREADS 256
#define WARPS (THREADS / 32)

namespace fragments {

#define TILES 8

struct Sums {
    float of[TILES][4];
};

// To 11 bits, to the nearest.
__device__ __forceinline__ float rounded(float x) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
}

// Warps that all tiles need: a power of 2.
__device__ __forceinline__ unsigned shares(unsigned columns, unsigned rows) {
    unsigned tiles = columns / 16 * (rows / 8), needed = 1;
    while (needed * TILES < tiles) needed *= 2;
    return needed;
}

// The first column and the first row of a tile of a warp's, and whether there is one.
__device__ __forceinline__ bool place(unsigned columns, unsigned rows, unsigned i, unsigned &column, unsigned &row) {
    unsigned number = threadIdx.x / 32 % shares(columns, rows) * TILES + i;
    column = number % (columns / 16) * 16;
    row = number / (columns / 16) * 8;
    return row < rows;
}

// Adds the products over so many times 8 terms.
__device__ void multiply(Sums &sums, const float *weights, unsigned width, unsigned columns, const float *states,
                         unsigned height, unsigned rows, unsigned eights) {
    unsigned lane = threadIdx.x % 32, group = lane / 4, term = lane % 4;
    unsigned shares = fragments::shares(columns, rows), way = threadIdx.x / 32 / shares;
    for (unsigned eight = way; eight < eights; eight += WARPS / shares) {
        const float *w = weights + (eight * 8 + term) * width + group, *r = states + (eight * 8 + term) * height + group;
#pragma unroll
        for (int i = 0; i < TILES; i++) {
            unsigned column, row;
            if (!place(columns, rows, i, column, row)) break;
            float *sum = sums.of[i];
            asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                         "{%0, %1, %2, %3};"
                         : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                         : "r"(__float_as_uint(w[column])), "r"(__float_as_uint(w[column + 8])),
                           "r"(__float_as_uint(w[4 * width + column])), "r"(__float_as_uint(w[4 * width + column + 8])),
                           "r"(__float_as_uint(r[row])), "r"(__float_as_uint(r[4 * height + row])));
        }
    }
}

// Puts a warp's sums at [way, row, column].
__device__ void store(const Sums &sums, float *to, unsigned columns, unsigned rows) {
    unsigned lane = threadIdx.x % 32, group = lane / 4, pair = lane % 4 * 2;
    unsigned way = threadIdx.x / 32 / fragments::shares(columns, rows);
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        unsigned column, row;
        if (!place(columns, rows, i, column, row)) break;
        float *tile = to + (way * rows + row + pair) * columns + column + group;
        tile[0] = sums.of[i][0];
        tile[columns] = sums.of[i][1];
        tile[8] = sums.of[i][2];
        tile[columns + 8] = sums.of[i][3];
    }
}

}  // namespace fragments
