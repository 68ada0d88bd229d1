// Features -> int8: clamp(round_half_even(v * scale), -127, 127), NaN -> 0, rows padded with zeros.
#pragma once
#include <cstring>

#include "common.h"

namespace layoutbrush {
namespace {

// Adding and subtracting 1.5 * 2^23 rounds half to even while |v| < 2^22, which the clamp assures.
inline int quantise(float value, float scale) {
  float v = value * scale;
  v = v < 127.0f ? v : 127.0f;  // NaN takes the 127
  v = v > -127.0f ? v : -127.0f;
  const float rounded = (v + 12582912.0f) - 12582912.0f;
  return value == value ? static_cast<int>(rounded) : 0;
}

inline void quantise_keys(const float* source, int64_t rows, int channels, int row_bytes, float scale, uint8_t* out) {
  for (int64_t row = 0; row < rows; ++row, source += channels, out += row_bytes) {
    for (int c = 0; c < channels; ++c) out[c] = static_cast<uint8_t>(quantise(source[c], scale) + kKeyBias);
    for (int c = channels; c < row_bytes; ++c) out[c] = 0;
  }
}

inline void quantise_queries(const float* source, int rows, int channels, int row_bytes, float scale, int8_t* out,
                             int32_t* corrections) {
  for (int row = 0; row < rows; ++row, source += channels, out += row_bytes) {
    int32_t sum = 0;
    for (int c = 0; c < channels; ++c) {
      const int q = quantise(source[c], scale);
      sum += q;
      out[c] = static_cast<int8_t>(q);
    }
    for (int c = channels; c < row_bytes; ++c) out[c] = 0;
    corrections[row] = -kKeyBias * sum;
  }
}

}  // namespace
}  // namespace layoutbrush
