// Which network pixel's offset each photo pixel follows, so that seams run where they don't show; then the pixels.
#include <algorithm>
#include <cstdlib>

#include "carry.h"
#include "errors.h"
#include "thread_pool.h"

namespace layoutbrush {
namespace {

constexpr int kUnits = 16;
constexpr int kDirections[4][2] = {{0, -1}, {0, 1}, {-1, 0}, {1, 0}};
// A pixel's own cell is looked at first, then those around it, the nearer ones first.
constexpr int kAround[9][2] = {{0, 0}, {0, -1}, {0, 1}, {-1, 0}, {1, 0}, {-1, -1}, {-1, 1}, {1, -1}, {1, 1}};

struct Rows {
  const LbBand& b;

  int64_t at(int64_t y, int64_t x) const { return y * b.width + x; }

  int64_t key(int64_t y, int64_t x, int32_t cell) const {
    const int64_t ky = std::clamp(b.top + y + b.down[cell], b.low_y, b.high_y - 1);
    const int64_t kx = std::clamp(b.left + x + b.right[cell], b.low_x, b.high_x - 1);
    return ky * b.key_width + kx;
  }

  bool same(int32_t a, int32_t o) const { return b.down[a] == b.down[o] && b.right[a] == b.right[o]; }

  int32_t between(int64_t y, int64_t x, int32_t a, int32_t o) const {
    const uint8_t *p = b.key + 3 * key(y, x, a), *q = b.key + 3 * key(y, x, o);
    int32_t sum = 0;
    for (int k = 0; k < 3; ++k) sum += std::abs(kUnits * (p[k] - q[k]) + b.tint[3 * a + k] - b.tint[3 * o + k]);
    return sum;
  }

  int32_t beside(int64_t y, int64_t x, int32_t cell) const {
    const uint8_t *p = b.key + 3 * key(y, x, cell), *q = b.visible + 3 * at(y, x);
    int32_t sum = 0;
    for (int k = 0; k < 3; ++k) sum += std::abs(kUnits * (p[k] - q[k]) + b.tint[3 * cell + k]);
    return sum;
  }

  int32_t energy(int64_t y, int64_t x, int32_t cell) const {
    const int64_t p = at(y, x), from = key(y, x, cell);
    const uint8_t label = b.labels[p];
    int32_t sum = 0;
    if (b.key_usable && !b.key_usable[from]) sum += b.unusable_cost;
    if (b.key_labels && label != b.unknown && b.key_labels[from] != label) sum += b.label_cost;
    for (const auto& way : kDirections) {
      const int64_t ny = y + way[0], nx = x + way[1], q = at(ny, nx);
      if (b.state[q] == 2 || b.labels[q] != label) continue;
      if (b.state[q] == 0) {
        sum += 2 * beside(ny, nx, cell);
      } else if (!same(cell, b.choice[q])) {
        sum += between(y, x, cell, b.choice[q]) + between(ny, nx, cell, b.choice[q]);
      }
    }
    return sum;
  }

  int32_t first(int64_t y, int64_t x) const {
    const int64_t cy = b.row_cells[y], cx = b.column_cells[x];
    for (const auto& way : kAround) {
      const int64_t ny = cy + way[0], nx = cx + way[1];
      if (ny < 0 || ny >= b.cells_high || nx < 0 || nx >= b.cells_wide) continue;
      const int64_t cell = ny * b.cells_wide + nx;
      if (b.cells[cell] && b.cell_labels[cell] == b.labels[at(y, x)]) return static_cast<int32_t>(cell);
    }
    return static_cast<int32_t>(cy * b.cells_wide + cx);
  }

  bool may(int64_t y, int64_t x, int32_t cell, int32_t now) const {
    const int64_t cy = cell / b.cells_wide, cx = cell % b.cells_wide;
    if (std::abs(cy - b.row_cells[y]) > b.reach || std::abs(cx - b.column_cells[x]) > b.reach) return false;
    const uint8_t label = b.labels[at(y, x)];
    return b.cell_labels[cell] == label || b.cell_labels[now] != label;
  }

  void sweep(int64_t y, int parity) const {
    for (int64_t x = 1 + ((y + 1 + parity) & 1); x < b.width - 1; x += 2) {
      const int64_t p = at(y, x);
      if (b.state[p] != 1) continue;
      int32_t now = b.choice[p], cost = -1;
      for (const auto& way : kDirections) {
        const int32_t other = b.choice[at(y + way[0], x + way[1])];
        if (other < 0 || same(other, now) || !may(y, x, other, now)) continue;
        if (cost < 0) cost = energy(y, x, now);
        const int32_t instead = energy(y, x, other);
        if (instead < cost) now = other, cost = instead;
      }
      b.choice[p] = now;
    }
  }

  // The tint of the four cells around a pixel, of those whose offset it follows.
  void pixel(int64_t y, int64_t x) const {
    const int64_t p = at(y, x);
    uint8_t* out = b.out + 3 * ((y - 1) * (b.width - 2) + x - 1);
    if (b.state[p] != 1) {
      std::copy_n(b.visible + 3 * p, 3, out);
      return;
    }
    const int32_t mine = b.choice[p];
    const int32_t parts[2][2] = {{256 - b.row_part[y], b.row_part[y]}, {256 - b.column_part[x], b.column_part[x]}};
    int64_t total[3] = {0, 0, 0}, weights = 0;
    for (int dy = 0; dy < 2; ++dy)
      for (int dx = 0; dx < 2; ++dx) {
        const int64_t cy = std::min<int64_t>(b.row_low[y] + dy, b.cells_high - 1);
        const int64_t cx = std::min<int64_t>(b.column_low[x] + dx, b.cells_wide - 1);
        const int32_t cell = static_cast<int32_t>(cy * b.cells_wide + cx);
        if (!b.cells[cell] || !same(cell, mine)) continue;
        const int64_t weight = static_cast<int64_t>(parts[0][dy]) * parts[1][dx];
        weights += weight;
        for (int k = 0; k < 3; ++k) total[k] += weight * b.tint[3 * cell + k];
      }
    if (!weights) {
      weights = 1;
      for (int k = 0; k < 3; ++k) total[k] = b.tint[3 * mine + k];
    }
    const uint8_t* from = b.key + 3 * key(y, x, mine);
    for (int k = 0; k < 3; ++k) {
      // Rounded to nearest, halves upwards; never negative where it is divided, so that both languages agree.
      const int64_t unit = 2 * kUnits * weights;
      const int64_t exact = std::max<int64_t>(0, unit * from[k] + 2 * total[k] + kUnits * weights);
      out[k] = static_cast<uint8_t>(std::min<int64_t>(255, exact / unit));
    }
  }
};

void check(const LbBand& b) {
  require(b.height >= 3 && b.width >= 3, "state", "must have a border and a row");
  require(b.low_y >= 0 && b.low_y < b.high_y && b.high_y <= b.key_height, "key", "must hold what may be fetched");
  require(b.low_x >= 0 && b.low_x < b.high_x && b.high_x <= b.key_width, "key", "must hold what may be fetched");
  require(b.passes >= 0 && b.reach >= 0, "passes", "must not be negative");
}

}  // namespace

void settle(const LbBand& b) {
  check(b);
  const Rows rows{b};
  const int threads = resolve_threads(b.threads);
  parallel_for(b.height - 1, threads, [&](int64_t row) {
    for (int64_t y = row + 1, x = 0; x < b.width; ++x)
      b.choice[rows.at(y, x)] = b.state[rows.at(y, x)] == 1 ? rows.first(y, x) : -1;
  });
  for (int pass = 0; pass < b.passes; ++pass)
    for (int parity = 0; parity < 2; ++parity)
      parallel_for(b.height - 2, threads, [&](int64_t row) { rows.sweep(row + 1, parity); });
}

void paint(const LbBand& b) {
  check(b);
  const Rows rows{b};
  parallel_for(b.height - 2, resolve_threads(b.threads), [&](int64_t row) {
    for (int64_t x = 1; x < b.width - 1; ++x) rows.pixel(row + 1, x);
  });
}

}  // namespace layoutbrush
