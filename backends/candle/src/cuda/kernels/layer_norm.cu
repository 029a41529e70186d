// Layer normalisation along rows [rows, width], and its gradients.

// A row's mean as rounded, what rounding left of it, and 1 / sqrt(variance + epsilon). The differences to the first number are 0
// to the last bit where all are alike, and so is what is left.
struct Moments {
    float mean, rest, factor;

    __device__ __forceinline__ float normalised(float x) const { return (x - mean - rest) * factor; }
};

__device__ __forceinline__ Moments moments(const Team &team, const float *__restrict__ x, unsigned width,
                                           float epsilon) {
    float first = x[0];
    float mean = first + team.sum(width, [=](unsigned j) { return x[j] - first; }) / width;
    float rest = team.sum(width, [=](unsigned j) { return x[j] - mean; }) / width;
    float variance = team.sum(width, [=](unsigned j) { return (x[j] - mean - rest) * (x[j] - mean - rest); }) / width;
    return {mean, rest, 1.0f / sqrtf(variance + epsilon)};
}

extern "C" __global__ void layer_norm(const float *__restrict__ x, const float *__restrict__ gamma,
                                      const float *__restrict__ beta, float *__restrict__ out, unsigned rows,
                                      unsigned width, unsigned size, float epsilon) {
    Team team(size);
    if (team.row >= rows) return;
    x += team.row * width, out += team.row * width;
    Moments row = moments(team, x, width, epsilon);
    team.each(width, [=](unsigned j) { out[j] = row.normalised(x[j]) * gamma[j] + beta[j]; });
}

// With n for the normalised row and g = gamma dy: (g - mean g - n mean (g n)) / sqrt(variance + epsilon), if it is wanted.
// Leaves the rows' moments for the gradients of the weights.
extern "C" __global__ void layer_norm_grad(const float *__restrict__ x, const float *__restrict__ gamma,
                                           const float *__restrict__ dy, float *__restrict__ dx,
                                           float *__restrict__ stats, unsigned rows, unsigned width, unsigned size,
                                           float epsilon, unsigned wanted) {
    Team team(size);
    if (team.row >= rows) return;
    x += team.row * width, dy += team.row * width;
    Moments row = moments(team, x, width, epsilon);
    if (team.rank == 0) ((Moments *)stats)[team.row] = row;
    if (!wanted) return;
    dx += team.row * width;
    float middle = team.sum(width, [=](unsigned j) { return gamma[j] * dy[j]; }) / width;
    float along = team.sum(width, [=](unsigned j) { return gamma[j] * dy[j] * row.normalised(x[j]); }) / width;
    team.each(width, [=](unsigned j) {
        dx[j] = (gamma[j] * dy[j] - middle - row.normalised(x[j]) * along) * row.factor;
    });
}

// Sums of dy n and of dy over the rows of a part each: [2, parts, width]. A warp has 32 columns, the eight of a block rows
// in turn.
extern "C" __global__ void layer_norm_weights(const float *__restrict__ x, const float *__restrict__ dy,
                                              const float *__restrict__ stats, float *__restrict__ out, unsigned rows,
                                              unsigned width, unsigned chunk) {
    __shared__ float2 sums[8][32];
    unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = blockIdx.x * 32 + lane;
    unsigned first = blockIdx.y * chunk, last = min(first + chunk, rows);
    float2 sum = make_float2(0.0f, 0.0f);
    if (column < width) {
#pragma unroll 4
        for (unsigned i = first + warp; i < last; i += 8) {
            float slope = dy[i * width + column];
            sum.x += slope * ((const Moments *)stats)[i].normalised(x[i * width + column]);
            sum.y += slope;
        }
    }
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp == 0 && column < width) {
        for (int k = 1; k < 8; k++) sum.x += sums[k][lane].x, sum.y += sums[k][lane].y;
        out[blockIdx.y * width + column] = sum.x;
        out[(gridDim.y + blockIdx.y) * width + column] = sum.y;
    }
}
