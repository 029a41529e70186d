// What all kernels share. A count of elements fits an int; places in memory are computed in 64 bits where they may not.

typedef unsigned long long u64;

// This thread's place among all threads of all blocks.
__device__ __forceinline__ unsigned place() { return blockIdx.x * blockDim.x + threadIdx.x; }
// Of so many threads.
__device__ __forceinline__ unsigned threads() { return gridDim.x * blockDim.x; }

#define INF __int_as_float(0x7f800000)
#define NOT_A_NUMBER __int_as_float(0x7fffffff)

// Axes of an elementwise operation and the strides of its operands, 0 where one is stretched.
struct Layout {
    unsigned rank;
    unsigned sizes[6];
    unsigned strides[3][6];
};

// e^-|x| never overflows, and both halves keep full precision.
__device__ __forceinline__ float sigmoid(float x) {
    float small = expf(-fabsf(x));
    float part = 1.0f / (1.0f + small);
    return x < 0.0f ? small * part : part;
}

// w x, 0 where w is, whatever x is.
__device__ __forceinline__ float times(float w, float x) { return w == 0.0f ? 0.0f : w * x; }

// The greater and the lesser; NaN when either is.
__device__ __forceinline__ float greater(float a, float b) { return a > b || a != a ? a : b; }
__device__ __forceinline__ float lesser(float a, float b) { return a < b || a != a ? a : b; }
