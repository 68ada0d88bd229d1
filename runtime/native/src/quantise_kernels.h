// Features -> int8: clamp(round_half_even(v * scale), -127, 127), NaN -> 0, rows padded with zeros.
#pragma once
#include "common.h"

namespace layoutbrush {
namespace {

constexpr int kPrefetchFloats = 1024;  // how far ahead the features are fetched

// One value; adding and subtracting 1.5 * 2^23 rounds half to even while |v| < 2^22, which the clamp assures.
inline int8_t quantise(float value, float scale) {
  float v = value * scale;
  v = v < 127.0f ? v : 127.0f;  // NaN takes the 127
  v = v > -127.0f ? v : -127.0f;
  const float rounded = (v + 12582912.0f) - 12582912.0f;
  return static_cast<int8_t>(value == value ? static_cast<int>(rounded) : 0);
}

inline void quantise_row(const float* source, int channels, int row_bytes, float scale, uint8_t flip, int8_t* out) {
  int c = 0;
  for (; c + 16 <= channels; c += 16) {
    prefetch(source + c + kPrefetchFloats);
    quantise16(source + c, scale, flip, out + c);
  }
  for (; c < channels; ++c) out[c] = static_cast<int8_t>(quantise(source[c], scale) ^ flip);
  for (; c < row_bytes; ++c) out[c] = 0;  // of keys any byte would do: the queries' padding is 0
}

void quantise_keys(const float* source, int64_t rows, int channels, int row_bytes, float scale, uint8_t* out) {
  for (int64_t row = 0; row < rows; ++row, source += channels, out += row_bytes)
    quantise_row(source, channels, row_bytes, scale, kKeyBias, reinterpret_cast<int8_t*>(out));
}

void quantise_queries(const float* source, int rows, int channels, int row_bytes, float scale, int8_t* out,
                      int32_t* corrections) {
  for (int row = 0; row < rows; ++row, source += channels, out += row_bytes) {
    quantise_row(source, channels, row_bytes, scale, 0, out);
    int32_t sum = 0;
    if (kKeyBias)
      for (int c = 0; c < row_bytes; c += 16) sum += sum16(out + c);
    corrections[row] = -kKeyBias * sum;
  }
}

}  // namespace
}  // namespace layoutbrush
