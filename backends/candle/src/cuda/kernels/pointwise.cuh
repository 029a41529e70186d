// Operations on single elements, pairs and triples. Operands are read through strides, so that what is stretched or permuted
// is not copied first. A thread has four neighbours along the last axis: one access where they lie together.

// Whether four neighbours are one access.
__device__ __forceinline__ bool together(const float *x) { return ((u64)x & 15) == 0; }

__device__ __forceinline__ void read(float (&v)[4], const float *x, unsigned stride) {
    if (stride == 1 && together(x)) {
        float4 all = *(const float4 *)x;
        v[0] = all.x, v[1] = all.y, v[2] = all.z, v[3] = all.w;
    } else {
        for (int j = 0; j < 4; j++) v[j] = x[j * stride];
    }
}

__device__ __forceinline__ void write(float *x, const float (&v)[4], unsigned count) {
    if (count == 4 && together(x)) {
        *(float4 *)x = make_float4(v[0], v[1], v[2], v[3]);
    } else {
        for (int j = 0; j < 4; j++)
            if (j < count) x[j] = v[j];
    }
}

// Where element i of the result lies in each operand. The last axis is axis 5 of a layout.
template <int N> __device__ __forceinline__ void find(const Layout &at, unsigned i, unsigned (&places)[N]) {
    for (int k = 0; k < N; k++) places[k] = 0;
#pragma unroll
    for (int axis = 5; axis > 0; axis--) {
        if (6 - axis < at.rank) {
            unsigned outer = i / at.sizes[axis], own = i - outer * at.sizes[axis];
            for (int k = 0; k < N; k++) places[k] += own * at.strides[k][axis];
            i = outer;
        } else if (6 - axis == at.rank) {
            for (int k = 0; k < N; k++) places[k] += i * at.strides[k][axis];
        }
    }
    if (at.rank == 6)
        for (int k = 0; k < N; k++) places[k] += i * at.strides[k][0];
}

// Calls put(i, count, f of the operands' elements i to i + 3), of which the first count are there.
template <int N, class F, class Put>
__device__ __forceinline__ void fours(const Layout &at, unsigned n, const float *const (&x)[N], F f, Put put) {
    unsigned i = place() * 4;
    if (i >= n) return;
    unsigned count = min(4u, n - i), places[N];
    float v[N][4];
    // Of an axis cut in fours no four lie on both sides of its end.
    if (count == 4 && (at.rank == 1 || at.sizes[5] % 4 == 0)) {
        find(at, i, places);
        for (int k = 0; k < N; k++) read(v[k], x[k] + places[k], at.strides[k][5]);
    } else {
        for (int j = 0; j < 4; j++) {
            find(at, min(i + j, n - 1), places);
            for (int k = 0; k < N; k++) v[k][j] = x[k][places[k]];
        }
    }
    float y[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        float of[N];
        for (int k = 0; k < N; k++) of[k] = v[k][j];
        y[j] = f(of);
    }
    put(i, count, y);
}

// The same with the results in row-major order.
template <int N, class F>
__device__ __forceinline__ void pointwise(const Layout &at, unsigned n, const float *const (&x)[N], float *out, F f) {
    fours(at, n, x, f, [&](unsigned i, unsigned count, const float (&y)[4]) { write(out + i, y, count); });
}
