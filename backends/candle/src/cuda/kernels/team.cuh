// A row's team: a warp, of which a block has eight, or a block where a row is long. What the team's threads have is joined in
// an order that depends on the team's size alone.

struct Sum {
    static __device__ __forceinline__ float zero() { return 0.0f; }
    static __device__ __forceinline__ float of(float a, float b) { return a + b; }
};

struct Most {
    static __device__ __forceinline__ float zero() { return -INF; }
    static __device__ __forceinline__ float of(float a, float b) { return greater(a, b); }
};

struct Team {
    unsigned size, row, rank;

    __device__ __forceinline__ Team(unsigned size)
        : size(size), row(blockIdx.x * (blockDim.x / size) + threadIdx.x / size), rank(threadIdx.x % size) {}

    // The join of all threads' x, for each of them.
    template <class Op> __device__ __forceinline__ float join(float x) const {
        for (int distance = 16; distance > 0; distance /= 2) x = Op::of(x, __shfl_xor_sync(~0u, x, distance));
        if (size > 32) {
            __shared__ float parts[32];
            if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
            __syncthreads();
            x = threadIdx.x % 32 < size / 32 ? parts[threadIdx.x % 32] : Op::zero();
            __syncthreads();
            for (int distance = 16; distance > 0; distance /= 2) x = Op::of(x, __shfl_xor_sync(~0u, x, distance));
        }
        return x;
    }

    // The join of f(j) over the columns from first to last, for each thread.
    template <class Op, class F> __device__ __forceinline__ float over(unsigned first, unsigned last, F f) const {
        float x = Op::zero();
#pragma unroll 4
        for (unsigned j = first + rank; j < last; j += size) x = Op::of(x, f(j));
        return join<Op>(x);
    }

    template <class F> __device__ __forceinline__ float sum(unsigned width, F f) const {
        return over<Sum>(0, width, f);
    }

    template <class F> __device__ __forceinline__ float most(unsigned width, F f) const {
        return over<Most>(0, width, f);
    }

    template <class F> __device__ __forceinline__ void each(unsigned width, F f) const {
#pragma unroll 4
        for (unsigned j = rank; j < width; j += size) f(j);
    }
};
