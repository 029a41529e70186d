// Products by tensor cores: TF32 numbers, sums of 32 bits.
//
// `mma.m16n8k8` multiplies 16 columns of weights with 8 rows of states over 8 terms. A warp has up to 2 by 4 such tiles side by
// side, whose operands it reads once; warps beyond those that all tiles need take turns at the terms ("way").

#define THREADS 256
#define WARPS (THREADS / 32)
#define ACROSS 2
#define DOWN 4

// What a warp multiplies at a time: of 16 columns, and of 8 rows, 8 terms.
struct Operands {
    float columns[ACROSS][4], rows[DOWN][2];
};

// A warp's part of a product of `columns` columns by `rows` rows, multiples of 16 and 8.
struct Product {
    unsigned column, row;   // the first ones of the warp's tiles
    unsigned across, down;  // how many tiles there are; none for a warp that has nothing to do
    unsigned way, ways;
    float sums[ACROSS][DOWN][4];

    __device__ __forceinline__ Product(unsigned columns, unsigned rows, bool) {
        unsigned parts = (columns / 16 + ACROSS - 1) / ACROSS, shares = parts * ((rows / 8 + DOWN - 1) / DOWN);
        unsigned warp = threadIdx.x / 32, share = warp % shares;
        way = warp / shares, ways = WARPS / shares;
        column = share % parts * (16 * ACROSS), row = share / parts * (8 * DOWN);
        across = way < ways ? min(ACROSS, (columns - column) / 16) : 0;
        down = min(DOWN, (rows - row) / 8);
    }

    // As a number is multiplied: rounded to 11 bits, to the nearest.
    static __device__ __forceinline__ float taken(float x) {
        unsigned bits;
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
        return __uint_as_float(bits);
    }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < ACROSS * DOWN * 4; i++) sums[i / (DOWN * 4)][i / 4 % DOWN][i % 4] = 0.0f;
    }

    // Adds the products over some terms; up to a multiple of 8 there are zeros.
    __device__ __forceinline__ void add(const float *weights, unsigned width, const float *states, unsigned height,
                                        unsigned terms) {
        unsigned lane = threadIdx.x % 32, eights = across ? (terms + 7) / 8 : 0;
        weights += lane % 4 * width + column + lane / 4, states += lane % 4 * height + row + lane / 4;
        // Numbers of tiles that the compiler knows need no questions between the products.
        if (across == 2 && down == 4) add<true, 2, 4>(weights, width, states, height, eights);
        else if (across == 1 && down == 4) add<true, 1, 4>(weights, width, states, height, eights);
        else add<false, ACROSS, DOWN>(weights, width, states, height, eights);
    }

    // The same over so many times 8 terms for I by J tiles at the most; for less unless they are all there.
    template <bool ALL, int I, int J>
    __device__ __forceinline__ void add(const float *weights, unsigned width, const float *states, unsigned height,
                                        unsigned eights) {
        Operands now, next;
        if (way < eights) read<ALL, I, J>(now, weights + way * 8 * width, width, states + way * 8 * height, height);
#pragma unroll 2
        for (unsigned eight = way; eight < eights; eight += ways) {
            // After the last ones it reads them again.
            unsigned later = min(eight + ways, eights - 1);
            read<ALL, I, J>(next, weights + later * 8 * width, width, states + later * 8 * height, height);
#pragma unroll
            for (int i = 0; i < I; i++) {
                if (!ALL && i >= across) break;
#pragma unroll
                for (int j = 0; j < J; j++) {
                    if (!ALL && j >= down) break;
                    multiply(sums[i][j], now.columns[i], now.rows[j]);
                }
            }
            now = next;
        }
    }

    template <bool ALL, int I, int J>
    __device__ __forceinline__ void read(Operands &to, const float *weights, unsigned width, const float *states,
                                         unsigned height) const {
#pragma unroll
        for (int i = 0; i < I; i++) {
            if (!ALL && i >= across) break;
            const float *w = weights + 16 * i;
            to.columns[i][0] = w[0], to.columns[i][1] = w[8], to.columns[i][2] = w[4 * width], to.columns[i][3] = w[4 * width + 8];
        }
#pragma unroll
        for (int j = 0; j < J; j++) {
            if (!ALL && j >= down) break;
            to.rows[j][0] = states[8 * j], to.rows[j][1] = states[4 * height + 8 * j];
        }
    }

    static __device__ __forceinline__ void multiply(float (&sum)[4], const float (&columns)[4], const float (&rows)[2]) {
        asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
            : "r"(__float_as_uint(columns[0])), "r"(__float_as_uint(columns[1])), "r"(__float_as_uint(columns[2])),
              "r"(__float_as_uint(columns[3])), "r"(__float_as_uint(rows[0])), "r"(__float_as_uint(rows[1])));
    }

    // Puts the sums at [ways, rows, columns].
    __device__ __forceinline__ void store(float *to, unsigned columns, unsigned rows) const {
        unsigned lane = threadIdx.x % 32;
        to += (way * rows + row + lane % 4 * 2) * columns + column + lane / 4;
#pragma unroll
        for (int i = 0; i < ACROSS; i++) {
            if (i >= across) break;
#pragma unroll
            for (int j = 0; j < DOWN; j++) {
                if (j >= down) break;
                float *tile = to + 8 * j * columns + 16 * i;
                tile[0] = sums[i][j][0];
                tile[columns] = sums[i][j][1];
                tile[8] = sums[i][j][2];
                tile[columns + 8] = sums[i][j][3];
            }
        }
    }
};
