// Cross-entropies of logits [rows, width], a row's team each, and their gradients.

// The greatest logit of a row, and the sum of e^(z - that).
__device__ __forceinline__ float2 shifted(const Team &team, const float *__restrict__ z, unsigned width) {
    float most = team.most(width, [=](unsigned j) { return z[j]; });
    return make_float2(most, team.sum(width, [=](unsigned j) { return expf(z[j] - most); }));
}

// How many of a row's classes can be: those whose logit is not -∞.
__device__ __forceinline__ float possible(const Team &team, const float *__restrict__ z, unsigned width) {
    return team.sum(width, [=](unsigned j) { return z[j] == -INF ? 0.0f : 1.0f; });
}

// Of classes, a part of whose weight goes to all classes alike that can be.
extern "C" __global__ void of_classes(const float *__restrict__ logits, const unsigned *__restrict__ classes,
                                      float *__restrict__ out, unsigned rows, unsigned width, unsigned size,
                                      float smoothing) {
    Team team(size);
    if (team.row >= rows) return;
    const float *__restrict__ z = logits + team.row * width;
    float2 row = shifted(team, z, width);
    float log = logf(row.y), of_all = 0.0f;
    if (smoothing != 0.0f) {
        of_all = team.sum(width, [=](unsigned j) { return z[j] == -INF ? 0.0f : log - (z[j] - row.x); });
        of_all /= possible(team, z, width);
    }
    if (team.rank == 0)
        out[team.row] = (1.0f - smoothing) * (log - (z[classes[team.row]] - row.x)) + smoothing * of_all;
}

extern "C" __global__ void of_classes_grad(const float *__restrict__ logits, const unsigned *__restrict__ classes,
                                           const float *__restrict__ d, float *__restrict__ out, unsigned rows,
                                           unsigned width, unsigned size, float smoothing) {
    Team team(size);
    if (team.row >= rows) return;
    const float *__restrict__ z = logits + team.row * width;
    out += team.row * width;
    float2 row = shifted(team, z, width);
    float slope = d[team.row], scale = slope / row.y;
    float share = smoothing == 0.0f ? 0.0f : slope * smoothing / possible(team, z, width);
    unsigned own = classes[team.row];
    // Without a gradient there is none, whatever the logits are.
    if (slope == 0.0f) return team.each(width, [=](unsigned j) { out[j] = 0.0f; });
    team.each(width, [=](unsigned j) {
        float of_class = j == own ? slope * (1.0f - smoothing) : 0.0f;
        out[j] = expf(z[j] - row.x) * scale - (z[j] == -INF ? 0.0f : share) - of_class;
    });
}

// Of distributions.
extern "C" __global__ void of_distributions(const float *__restrict__ logits, const float *__restrict__ targets,
                                            float *__restrict__ out, unsigned rows, unsigned width, unsigned size) {
    Team team(size);
    if (team.row >= rows) return;
    const float *__restrict__ z = logits + team.row * width, *__restrict__ t = targets + team.row * width;
    float2 row = shifted(team, z, width);
    float log = logf(row.y);
    float sum = team.sum(width, [=](unsigned j) { return times(t[j], log - (z[j] - row.x)); });
    if (team.rank == 0) out[team.row] = sum;
}

extern "C" __global__ void of_distributions_grad(const float *__restrict__ logits, const float *__restrict__ targets,
                                                 const float *__restrict__ d, float *__restrict__ out, unsigned rows,
                                                 unsigned width, unsigned size) {
    Team team(size);
    if (team.row >= rows) return;
    const float *__restrict__ z = logits + team.row * width, *__restrict__ t = targets + team.row * width;
    out += team.row * width;
    float2 row = shifted(team, z, width);
    float slope = d[team.row], scale = team.sum(width, [=](unsigned j) { return t[j]; }) / row.y;
    team.each(width, [=](unsigned j) { out[j] = times(slope, expf(z[j] - row.x) * scale - t[j]); });
}
