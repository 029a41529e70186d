// Dropout by the draws of a key: Philox4x32-10, as in src/random.rs, to the bit.

__device__ __forceinline__ uint4 draws(unsigned block, u64 key) {
    uint4 c = make_uint4(block, 0, 0, 0);
    unsigned k0 = (unsigned)key, k1 = (unsigned)(key >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        unsigned p = c.x * 0xD2511F53u, p_high = __umulhi(c.x, 0xD2511F53u);
        unsigned q = c.z * 0xCD9E8D57u, q_high = __umulhi(c.z, 0xCD9E8D57u);
        c = make_uint4(q_high ^ c.y ^ k0, q, p_high ^ c.w ^ k1, p);
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return c;
}

extern "C" __global__ void dropout(Layout at, unsigned n, const float *__restrict__ x, float *__restrict__ out,
                                   unsigned long long key, unsigned threshold, float scale) {
    fours<1>(at, n, {x}, [](const float (&v)[1]) { return v[0]; },
                 [=](unsigned i, unsigned count, const float (&v)[4]) {
                     uint4 bits = draws(i / 4, key);
                     write(out + i,
                           {bits.x < threshold ? 0.0f : v[0] * scale, bits.y < threshold ? 0.0f : v[1] * scale,
                            bits.z < threshold ? 0.0f : v[2] * scale, bits.w < threshold ? 0.0f : v[3] * scale},
                           count);
                 });
}

// What whole rows of a table are multiplied with: row r fares as draw r says.
extern "C" __global__ void row_keep_mask(unsigned n, const unsigned *__restrict__ rows, float *__restrict__ out,
                                         unsigned long long key, unsigned threshold, float scale) {
    unsigned i = place();
    if (i >= n) return;
    unsigned row = rows[i];
    uint4 four = draws(row / 4, key);
    unsigned bits = row % 4 == 0 ? four.x : row % 4 == 1 ? four.y : row % 4 == 2 ? four.z : four.w;
    out[i] = bits < threshold ? 0.0f : scale;
}
