// Neighbouring network pixels come to copy from neighbouring places: iterated conditional modes over offsets.
#include <algorithm>
#include <cstring>
#include <vector>

#include "carry.h"
#include "errors.h"
#include "thread_pool.h"

namespace layoutbrush {
namespace {

constexpr int kBorder = 2, kStep = 2;
constexpr int kDirections[4][2] = {{0, -1}, {0, 1}, {-1, 0}, {1, 0}};

struct Solver {
  const LbCoherence& c;
  std::vector<int32_t> down, right, cost, old_down, old_right;

  // Sum of squared differences of nine pixels out of 5 x 5.
  int32_t difference(int y, int x, int ky, int kx) const {
    const int64_t wide = c.width + 2 * kBorder, key_wide = c.key_width + 2 * kBorder;
    int32_t sum = 0;
    for (int dy = 0; dy <= 2 * kBorder; dy += kStep) {
      const uint8_t* a = c.wanted + ((y + dy) * wide + x) * 3;
      const uint8_t* b = c.offered + ((ky + dy) * key_wide + kx) * 3;
      for (int dx = 0; dx <= 2 * kBorder; dx += kStep)
        for (int k = 0; k < 3; ++k) {
          const int32_t apart = static_cast<int32_t>(a[3 * dx + k]) - b[3 * dx + k];
          sum += apart * apart;
        }
    }
    return sum;
  }

  int32_t unlike(int y, int x, int32_t d, int32_t r) const {
    const int64_t at = static_cast<int64_t>(y) * c.width + x;
    int32_t count = 0;
    const auto other = [&](int64_t q) { count += down[q] != d || right[q] != r; };
    if (x > 0) other(at - 1);
    if (x < c.width - 1) other(at + 1);
    if (y > 0) other(at - c.width);
    if (y < c.height - 1) other(at + c.width);
    return c.smoothness * count;
  }

  void adopt(int y, int parity, int dy, int dx) {
    const int oy = y + dy;
    if (oy < 0 || oy >= c.height) return;
    for (int x = (y + parity) & 1; x < c.width; x += 2) {
      const int64_t at = static_cast<int64_t>(y) * c.width + x;
      const int ox = x + dx;
      if (!c.mask[at] || ox < 0 || ox >= c.width) continue;
      const int64_t other = static_cast<int64_t>(oy) * c.width + ox;
      const int32_t d = old_down[other], r = old_right[other];
      if (d == down[at] && r == right[at]) continue;
      const int ky = y + d, kx = x + r;
      if (ky < 0 || ky >= c.key_height || kx < 0 || kx >= c.key_width) continue;
      const int64_t key = static_cast<int64_t>(ky) * c.key_width + kx;
      if (!c.source[key] || (c.layout[key] != c.edited[at] && c.edited[at] != c.unknown)) continue;
      const int32_t data = difference(y, x, ky, kx);
      if (data + unlike(y, x, d, r) < cost[at] + unlike(y, x, down[at], right[at])) {
        down[at] = d, right[at] = r, cost[at] = data;
      }
    }
  }
};

}  // namespace

void coherent(const LbCoherence& c) {
  require(c.height > 0 && c.width > 0 && c.key_height > 0 && c.key_width > 0, "keys", "must not be empty");
  const int64_t size = static_cast<int64_t>(c.height) * c.width;
  const int threads = resolve_threads(c.threads);
  Solver s{c, std::vector<int32_t>(size), std::vector<int32_t>(size), std::vector<int32_t>(size), {}, {}};
  parallel_for(c.height, threads, [&](int64_t y) {
    for (int x = 0; x < c.width; ++x) {
      const int64_t at = y * c.width + x;
      const int ky = c.keys[at] >> 16, kx = c.keys[at] & 0xFFFF;
      s.down[at] = ky - static_cast<int>(y), s.right[at] = kx - x;
      if (c.mask[at]) s.cost[at] = s.difference(static_cast<int>(y), x, ky, kx);
    }
  });
  for (int i = 0; i < c.count; ++i)
    for (int parity = 0; parity < 2; ++parity)
      for (const auto& way : kDirections) {
        s.old_down = s.down, s.old_right = s.right;
        parallel_for(c.height, threads, [&](int64_t y) {
          s.adopt(static_cast<int>(y), parity, way[0] * c.strides[i], way[1] * c.strides[i]);
        });
      }
  for (int y = 0; y < c.height; ++y)
    for (int x = 0; x < c.width; ++x) {
      const int64_t at = static_cast<int64_t>(y) * c.width + x;
      c.keys[at] = (y + s.down[at]) << 16 | (x + s.right[at]);
    }
}

}  // namespace layoutbrush
