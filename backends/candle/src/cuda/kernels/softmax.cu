// The softmax and its logarithm along rows [rows, width], and their gradients.

extern "C" __global__ void softmax(const float *__restrict__ x, float *__restrict__ out, unsigned rows, unsigned width,
                                   unsigned size) {
    Team team(size);
    if (team.row >= rows) return;
    x += team.row * width, out += team.row * width;
    float most = team.most(width, [=](unsigned j) { return x[j]; });
    float total = team.sum(width, [=](unsigned j) { return expf(x[j] - most); });
    team.each(width, [=](unsigned j) { out[j] = expf(x[j] - most) / total; });
}

extern "C" __global__ void log_softmax(const float *__restrict__ x, float *__restrict__ out, unsigned rows,
                                       unsigned width, unsigned size) {
    Team team(size);
    if (team.row >= rows) return;
    x += team.row * width, out += team.row * width;
    float most = team.most(width, [=](unsigned j) { return x[j]; });
    float total = logf(team.sum(width, [=](unsigned j) { return expf(x[j] - most); }));
    team.each(width, [=](unsigned j) { out[j] = x[j] - most - total; });
}

// y (dy - sum dy y)
extern "C" __global__ void softmax_grad(const float *__restrict__ y, const float *__restrict__ dy,
                                        float *__restrict__ out, unsigned rows, unsigned width, unsigned size) {
    Team team(size);
    if (team.row >= rows) return;
    y += team.row * width, dy += team.row * width, out += team.row * width;
    float along = team.sum(width, [=](unsigned j) { return y[j] * dy[j]; });
    team.each(width, [=](unsigned j) { out[j] = y[j] * (dy[j] - along); });
}

// dy - e^y sum dy
extern "C" __global__ void log_softmax_grad(const float *__restrict__ y, const float *__restrict__ dy,
                                            float *__restrict__ out, unsigned rows, unsigned width, unsigned size) {
    Team team(size);
    if (team.row >= rows) return;
    y += team.row * width, dy += team.row * width, out += team.row * width;
    float total = team.sum(width, [=](unsigned j) { return dy[j]; });
    team.each(width, [=](unsigned j) { out[j] = dy[j] - expf(y[j]) * total; });
}
