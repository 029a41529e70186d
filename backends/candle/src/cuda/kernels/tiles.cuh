// Products by ordinary arithmetic. A thread has a tile of 4 columns of weights and 4 rows of states, or 8 where there are many;
// threads beyond those that all tiles need take turns at the terms ("way").

#define THREADS 256

// A thread's part of a product of `columns` columns by `rows` rows; both are multiples of 4, and `tall` ones of 8.
struct Product {
    unsigned column, row;     // the first ones of the tile
    unsigned tiles, way, turns;
    unsigned ways;            // parts of each sum when they are stored
    bool tall, exists, joins;
    float sums[8][4];

    __device__ __forceinline__ Product(unsigned columns, unsigned rows, bool tall) : tall(tall) {
        unsigned across = columns / 4, down = tall ? 8 : 4;
        tiles = across * (rows / down);
        unsigned tile = threadIdx.x % tiles;
        column = tile % across * 4, row = tile / across * down;
        way = threadIdx.x / tiles, turns = THREADS / tiles;
        exists = way < turns;
        // Ways that share a warp add up what they have before it is stored.
        joins = tiles < 32 && (tiles & (tiles - 1)) == 0;
        ways = joins ? THREADS / 32 : turns;
    }

    // As a number is multiplied.
    static __device__ __forceinline__ float taken(float x) { return x; }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < 8; i++) {
#pragma unroll
            for (int j = 0; j < 4; j++) sums[i][j] = 0.0f;
        }
    }

    // Adds the products over some terms.
    __device__ __forceinline__ void add(const float *weights, unsigned width, const float *states, unsigned height,
                                        unsigned terms) {
        if (!exists) return;
        weights += column, states += row;
        if (tall) add<8, 2>(weights, width, states, height, terms);
        else add<4, 4>(weights, width, states, height, terms);
    }

    // `AHEAD` terms are read before the first is needed.
    template <int DOWN, int AHEAD>
    __device__ __forceinline__ void add(const float *weights, unsigned width, const float *states, unsigned height,
                                        unsigned terms) {
        unsigned k = way;
        for (; k + (AHEAD - 1) * turns < terms; k += AHEAD * turns) {
            float4 w[AHEAD], r[AHEAD][DOWN / 4];
#pragma unroll
            for (int q = 0; q < AHEAD; q++) {
                w[q] = *(const float4 *)(weights + (k + q * turns) * width);
#pragma unroll
                for (int i = 0; i < DOWN / 4; i++) r[q][i] = *(const float4 *)(states + (k + q * turns) * height + 4 * i);
            }
#pragma unroll
            for (int q = 0; q < AHEAD; q++) {
#pragma unroll
                for (int i = 0; i < DOWN / 4; i++) term(i, w[q], r[q][i]);
            }
        }
        for (; k < terms; k += turns) {
            float4 w = *(const float4 *)(weights + k * width);
#pragma unroll
            for (int i = 0; i < DOWN / 4; i++) term(i, w, *(const float4 *)(states + k * height + 4 * i));
        }
    }

    __device__ __forceinline__ void term(int i, float4 w, float4 r) {
        const float of_w[4] = {w.x, w.y, w.z, w.w}, of_r[4] = {r.x, r.y, r.z, r.w};
#pragma unroll
        for (int k = 0; k < 4; k++) {
#pragma unroll
            for (int j = 0; j < 4; j++) sums[4 * i + k][j] += of_r[k] * of_w[j];
        }
    }

    // Puts the sums at [ways, rows, columns].
    __device__ __forceinline__ void store(float *to, unsigned columns, unsigned rows) {
        if (joins) {
            for (unsigned distance = tiles; distance < 32; distance *= 2) {
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    // Those of a low tile are 0.
                    if (i >= 4 && !tall) break;
#pragma unroll
                    for (int j = 0; j < 4; j++) sums[i][j] += __shfl_xor_sync(~0u, sums[i][j], distance);
                }
            }
        }
        bool stores = joins ? threadIdx.x % 32 < tiles : exists;
        if (!stores) return;
        to += ((joins ? threadIdx.x / 32 : way) * rows + row) * columns + column;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (i >= 4 && !tall) break;
            *(float4 *)(to + i * columns) = make_float4(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
        }
    }
};
