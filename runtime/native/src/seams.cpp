// Which network pixel's offset each photo pixel follows, so that seams run where they don't show; then the pixels.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>
#include <vector>

#include "carry.h"
#include "errors.h"
#include "thread_pool.h"

namespace layoutbrush {
namespace {

constexpr int kUnits = 16;
constexpr int kOwnShare = 2;  // of a pixel at a seam, beside one for each neighbour's offset
constexpr int kDirections[4][2] = {{0, -1}, {0, 1}, {-1, 0}, {1, 0}};
// A pixel's own cell is looked at first, then those around it, the nearer ones first.
constexpr int kAround[9][2] = {{0, 0}, {0, -1}, {0, 1}, {-1, 0}, {1, 0}, {-1, -1}, {-1, 1}, {1, -1}, {1, 1}};

// When each cell's pixels were changed last: what lies around them needs to be looked at again, the rest does not. Sweeps
// of one kind come every kKinds sweeps.
constexpr int kKinds = 10;

struct Changes {
  const LbBand& b;
  int64_t first, count;  // rows of cells that the band touches
  std::vector<std::atomic<int32_t>> last;
  std::vector<uint8_t> active;
  int32_t now = kKinds;

  explicit Changes(const LbBand& band)
      : b(band), first(band.row_cells[0]), count(band.row_cells[band.height - 1] - first + 1),
        last(count * band.cells_wide), active(count * band.cells_wide) {}

  int64_t at(int64_t y, int64_t x) const { return (b.row_cells[y] - first) * b.cells_wide + b.column_cells[x]; }
  void mark(int64_t y, int64_t x) { last[at(y, x)].store(now, std::memory_order_relaxed); }
  bool near(int64_t y, int64_t x) const { return active[at(y, x)]; }

  // Begins the next sweep.
  void next(int threads) {
    parallel_for(count, threads, [&](int64_t y) {
      for (int64_t x = 0; x < b.cells_wide; ++x) {
        bool any = false;
        for (int64_t ny = std::max<int64_t>(0, y - 1); ny < std::min(count, y + 2); ++ny)
          for (int64_t nx = std::max<int64_t>(0, x - 1); nx < std::min(b.cells_wide, x + 2); ++nx)
            any = any || last[ny * b.cells_wide + nx].load(std::memory_order_relaxed) >= now - kKinds;
        active[y * b.cells_wide + x] = any;
      }
    });
    ++now;
  }
};

// A quotient rounded to nearest, halves upwards, also of what is negative.
int64_t rounded(int64_t value, int64_t by) {
  const int64_t twice = 2 * value + by, whole = twice / (2 * by);
  return whole - (twice % (2 * by) < 0);
}

struct Rows {
  const LbBand& b;
  Changes* changes;  // null where only the pixels are wanted

  int64_t at(int64_t y, int64_t x) const { return y * b.width + x; }

  int64_t key(int64_t y, int64_t x, int32_t cell) const {
    const int64_t ky = std::clamp(b.top + y + b.down[cell], b.low_y, b.high_y - 1);
    const int64_t kx = std::clamp(b.left + x + b.right[cell], b.low_x, b.high_x - 1);
    return ky * b.key_width + kx;
  }

  int64_t own(int64_t y, int64_t x) const { return b.row_cells[y] * b.cells_wide + b.column_cells[x]; }

  bool same(int64_t a, int64_t o) const { return a == o || (b.down[a] == b.down[o] && b.right[a] == b.right[o]); }

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

  // What a pixel costs by itself, and beside the photo that stays visible.
  int64_t alone(int64_t y, int64_t x, int32_t cell) const {
    const int64_t p = at(y, x), from = key(y, x, cell);
    const uint8_t label = b.labels[p];
    int64_t sum = 0;
    if (b.key_usable && !b.key_usable[from]) sum += b.unusable_cost;
    if (b.key_labels && label != b.unknown && b.key_labels[from] != label) sum += b.label_cost;
    for (const auto& way : kDirections) {
      const int64_t ny = y + way[0], nx = x + way[1], q = at(ny, nx);
      if (b.state[q] == 0 && b.labels[q] == label) sum += 2 * beside(ny, nx, cell);
    }
    return sum;
  }

  // What a seam costs between a pixel that follows `cell` and a neighbour that follows `other`.
  int64_t seam(int64_t y, int64_t x, int32_t cell, int64_t ny, int64_t nx, int32_t other) const {
    const int64_t q = at(ny, nx);
    if (other < 0 || b.state[q] != 1 || b.labels[q] != b.labels[at(y, x)] || same(cell, other)) return 0;
    return between(y, x, cell, other) + between(ny, nx, cell, other);
  }

  int64_t seam(int64_t y, int64_t x, int32_t cell, int64_t down, int64_t right) const {
    return seam(y, x, cell, y + down, x + right, b.choice[at(y + down, x + right)]);
  }

  int64_t energy(int64_t y, int64_t x, int32_t cell) const {
    int64_t sum = alone(y, x, cell);
    for (const auto& way : kDirections) sum += seam(y, x, cell, way[0], way[1]);
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
    const int32_t wide = static_cast<int32_t>(b.cells_wide), cy = cell / wide, cx = cell - cy * wide;
    if (std::abs(cy - b.row_cells[y]) > b.reach || std::abs(cx - b.column_cells[x]) > b.reach) return false;
    const uint8_t label = b.labels[at(y, x)];
    return b.cell_labels[cell] == label || b.cell_labels[now] != label;
  }

  void sweep(int64_t y, int parity) const {
    for (int64_t x = 1 + ((y + 1 + parity) & 1); x < b.width - 1; x += 2) {
      const int64_t p = at(y, x);
      if (b.state[p] != 1 || !changes->near(y, x)) continue;
      int32_t now = b.choice[p];
      int64_t cost = -1;
      for (const auto& way : kDirections) {
        const int32_t other = b.choice[at(y + way[0], x + way[1])];
        if (other < 0 || same(other, now) || !may(y, x, other, now)) continue;
        if (cost < 0) cost = energy(y, x, now);
        const int64_t instead = energy(y, x, other);
        if (instead < cost) now = other, cost = instead;
      }
      if (now != b.choice[p]) b.choice[p] = now, changes->mark(y, x);
    }
  }

  int32_t taken_over(int64_t y, int64_t x, int64_t down, int64_t right) const {
    const int32_t now = b.choice[at(y, x)], other = b.choice[at(y + down, x + right)];
    return other != now && other >= 0 && !same(other, now) && may(y, x, other, now) ? other : now;
  }

  // A straight seam of several pixels moves as a whole or not at all: pixels low..high of a row (or a column, where
  // `upright`) take over the offsets of those beside them, one step to the side. `next`: room for as many.
  void shift(int64_t low, int64_t high, int64_t line, bool upright, int step, int32_t* next) const {
    const int64_t down = upright ? 0 : step, right = upright ? step : 0;
    const int64_t on = upright ? 1 : 0, across = upright ? 0 : 1;  // one pixel along the strip: rows, columns
    const int64_t top = upright ? low : line, left = upright ? line : low;
    if (!changes->near(top, left)) return;
    bool any = false;
    for (int64_t i = 0, y = top, x = left; i < high - low; ++i, y += on, x += across) {
      next[i] = b.state[at(y, x)] == 1 ? taken_over(y, x, down, right) : -1;
      any = any || next[i] != b.choice[at(y, x)];
    }
    if (!any) return;
    int64_t change = 0;
    for (int64_t i = 0, y = top, x = left; i < high - low; ++i, y += on, x += across) {
      if (next[i] < 0) continue;
      const int32_t now = b.choice[at(y, x)], then = next[i];
      const bool last = i + 1 == high - low;
      if (now != then) {
        change += alone(y, x, then) - alone(y, x, now);
        change += seam(y, x, then, across, on) - seam(y, x, now, across, on);
        change += seam(y, x, then, -across, -on) - seam(y, x, now, -across, -on);
        if (i == 0) change += seam(y, x, then, -on, -across) - seam(y, x, now, -on, -across);
      } else if (last || next[i + 1] == b.choice[at(y + on, x + across)]) {
        continue;
      }
      change -= seam(y, x, now, on, across);
      change += last || next[i + 1] < 0 ? seam(y, x, then, on, across)
                                        : seam(y, x, then, y + on, x + across, next[i + 1]);
    }
    if (change >= 0) return;
    for (int64_t i = 0, y = top, x = left; i < high - low; ++i, y += on, x += across)
      if (next[i] >= 0) b.choice[at(y, x)] = next[i];
    changes->mark(top, left);
  }

  // The tint of the four cells around a pixel, of those whose offset it follows; at a seam a share of what the neighbours
  // copy, so that it is no sharper than the photo.
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
    int64_t sum[3], count = kOwnShare;
    const uint8_t* from = b.key + 3 * key(y, x, mine);
    for (int k = 0; k < 3; ++k) sum[k] = count * (kUnits * from[k] + rounded(total[k], weights));
    for (const auto& way : kDirections) {
      const int64_t q = at(y + way[0], x + way[1]);
      const int32_t other = b.choice[q];
      if (other < 0 || b.state[q] != 1 || b.labels[q] != b.labels[p] || same(other, mine)) continue;
      const uint8_t* theirs = b.key + 3 * key(y, x, other);
      for (int k = 0; k < 3; ++k) sum[k] += kUnits * theirs[k] + b.tint[3 * other + k];
      ++count;
    }
    for (int k = 0; k < 3; ++k) out[k] = static_cast<uint8_t>(std::clamp<int64_t>(rounded(sum[k], kUnits * count), 0, 255));
  }
};

// Where runs of one owner begin among the inner pixels, and where the last one ends.
std::vector<int64_t> runs(const int32_t* owners, int64_t size) {
  std::vector<int64_t> found{1};
  for (int64_t i = 2; i < size - 1; ++i)
    if (owners[i] != owners[i - 1]) found.push_back(i);
  found.push_back(size - 1);
  return found;
}

void check(const LbBand& b) {
  require(b.height >= 3 && b.width >= 3, "state", "must have a border and a row");
  require(b.low_y >= 0 && b.low_y < b.high_y && b.high_y <= b.key_height, "key", "must hold what may be fetched");
  require(b.low_x >= 0 && b.low_x < b.high_x && b.high_x <= b.key_width, "key", "must hold what may be fetched");
  require(b.passes >= 0 && b.reach >= 0, "passes", "must not be negative");
}

}  // namespace

void settle(const LbBand& b) {
  check(b);
  Changes changes(b);
  const Rows rows{b, &changes};
  const int threads = resolve_threads(b.threads);
  parallel_for(b.height - 1, threads, [&](int64_t row) {
    for (int64_t y = row + 1, x = 0; x < b.width; ++x) {
      const int64_t p = rows.at(y, x);
      b.choice[p] = b.state[p] == 1 ? rows.first(y, x) : -1;
      if (b.choice[p] >= 0 && !rows.same(b.choice[p], static_cast<int32_t>(rows.own(y, x)))) changes.mark(y, x);
    }
  });
  for (int64_t x = 0; x < b.width; ++x)  // the row above was settled before, each pixel as it may be
    if (b.choice[x] >= 0) changes.mark(0, x);
  // Where all cells around copy from beside each other there is no seam to move.
  for (int64_t y = 0; y < changes.count; ++y)
    for (int64_t x = 0; x < b.cells_wide; ++x) {
      const int64_t cell = (y + changes.first) * b.cells_wide + x;
      const bool below = y + 1 < changes.count && !rows.same(cell, cell + b.cells_wide);
      if (below || (x + 1 < b.cells_wide && !rows.same(cell, cell + 1))) changes.last[y * b.cells_wide + x] = changes.now;
    }
  const std::vector<int64_t> tall = runs(b.row_cells, b.height), wide = runs(b.column_cells, b.width);
  for (int pass = 0; pass < b.passes; ++pass) {
    for (const bool upright : {true, false})
      for (const int step : {-1, 1})
        for (int parity = 0; parity < 2; ++parity) {
          const std::vector<int64_t>& strips = upright ? tall : wide;
          const int64_t lines = (upright ? b.width : b.height) - 1;
          changes.next(threads);
          parallel_for(strips.size() - 1, threads, [&](int64_t i) {
            std::vector<int32_t> next(strips[i + 1] - strips[i]);
            for (int64_t line = 1 + ((1 + i + parity) & 1); line < lines; line += 2)
              rows.shift(strips[i], strips[i + 1], line, upright, step, next.data());
          });
        }
    for (int parity = 0; parity < 2; ++parity) {
      changes.next(threads);
      parallel_for(b.height - 2, threads, [&](int64_t row) { rows.sweep(row + 1, parity); });
    }
  }
}

void paint(const LbBand& b) {
  check(b);
  const Rows rows{b, nullptr};
  parallel_for(b.height - 2, resolve_threads(b.threads), [&](int64_t row) {
    for (int64_t x = 1; x < b.width - 1; ++x) rows.pixel(row + 1, x);
  });
}

}  // namespace layoutbrush
