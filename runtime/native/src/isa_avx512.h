// AVX-512 VNNI: vpdpbusd multiplies unsigned by signed bytes. Keys are stored unsigned (+128), so that the excess,
// 128 * sum(query), depends on the query alone; Row takes it off again, and the result is exact.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "vectors.h"

namespace layoutbrush {
namespace {

constexpr const char* kName = "avx512";
constexpr int kKeyBias = 128;  // what is added to the bytes of keys: their sign bit is flipped
inline void prefetch(const void* address) { _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0); }

inline unsigned mask_bits(I32x4 mask) {
  return static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(reinterpret_cast<__m128i>(mask))));
}
inline unsigned mask_bits(I64x4 mask) {
  return static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(reinterpret_cast<__m256i>(mask))));
}

// Stores the lanes of v whose bit is set, without gaps; what follows them up to a whole vector is written too.
inline void compress(int32_t* to, I32x4 v, unsigned bits) {
  const __m128i packed = _mm_maskz_compress_epi32(static_cast<__mmask8>(bits), reinterpret_cast<__m128i>(v));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), packed);
}

// Sixteen features to bytes: rounded half to even, clamped, NaN to 0; flip is the sign bit of each byte, or 0.
inline void quantise16(const float* from, float scale, uint8_t flip, int8_t* to) {
  const __m512 raw = _mm512_loadu_ps(from);
  const __m512 low = _mm512_max_ps(_mm512_mul_ps(raw, _mm512_set1_ps(scale)), _mm512_set1_ps(-127.0f));
  const __m512 v = _mm512_min_ps(low, _mm512_set1_ps(127.0f));
  const __m512i integers = _mm512_maskz_cvtps_epi32(_mm512_cmp_ps_mask(raw, raw, _CMP_ORD_Q), v);
  const __m128i bytes = _mm_xor_si128(_mm512_cvtepi32_epi8(integers), _mm_set1_epi8(static_cast<char>(flip)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
}
inline int32_t sum16(const int8_t* bytes) {
  const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
  __m128i s = _mm_dpbusd_epi32(_mm_setzero_si128(), _mm_set1_epi8(1), q);
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

inline __m256i folded(__m512i v) { return _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1)); }
inline __m128i folded(__m256i v) { return _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)); }

// A quantised query, ready to be multiplied with rows of keys.
template <int Bytes>
struct Row {
  __m512i query[Bytes / 64];
  __m128i correction;
  Row(const int8_t* q, int32_t c) : correction(_mm_set1_epi32(c)) {
    for (int i = 0; i < Bytes / 64; ++i) query[i] = _mm512_loadu_si512(q + 64 * i);
  }
  __m256i partial(const uint8_t* key) const {
    __m512i sum = _mm512_setzero_si512();
    for (int i = 0; i < Bytes / 64; ++i) sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(key + 64 * i), query[i]);
    return folded(sum);
  }
  I32x4 dots(const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d) const {
    const __m256i ab = _mm256_hadd_epi32(partial(a), partial(b)), cd = _mm256_hadd_epi32(partial(c), partial(d));
    return reinterpret_cast<I32x4>(_mm_add_epi32(folded(_mm256_hadd_epi32(ab, cd)), correction));
  }
};

template <>
struct Row<32> {
  __m256i query;
  __m128i correction;
  Row(const int8_t* q, int32_t c)
      : query(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(q))), correction(_mm_set1_epi32(c)) {}
  __m256i partial(const uint8_t* key) const {
    return _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(key)), query);
  }
  I32x4 dots(const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d) const {
    const __m256i ab = _mm256_hadd_epi32(partial(a), partial(b)), cd = _mm256_hadd_epi32(partial(c), partial(d));
    return reinterpret_cast<I32x4>(_mm_add_epi32(folded(_mm256_hadd_epi32(ab, cd)), correction));
  }
};

template <>
struct Row<16> {
  __m128i query;
  __m128i correction;
  Row(const int8_t* q, int32_t c)
      : query(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q))), correction(_mm_set1_epi32(c)) {}
  __m128i partial(const uint8_t* key) const {
    return _mm_dpbusd_epi32(_mm_setzero_si128(), _mm_loadu_si128(reinterpret_cast<const __m128i*>(key)), query);
  }
  I32x4 dots(const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d) const {
    const __m128i ab = _mm_hadd_epi32(partial(a), partial(b)), cd = _mm_hadd_epi32(partial(c), partial(d));
    return reinterpret_cast<I32x4>(_mm_add_epi32(_mm_hadd_epi32(ab, cd), correction));
  }
};

}  // namespace
}  // namespace layoutbrush
