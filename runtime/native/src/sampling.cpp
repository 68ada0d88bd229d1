// KeyIndexSampling: checks a call, quantises, and drives the passes of one schedule over the thread pool.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include "errors.h"
#include "label_codes.h"
#include "ops.h"
#include "scratch.h"
#include "thread_pool.h"

namespace layoutbrush {

int32_t integer_penalty(const LbSampling& c) {
  const double scale = c.scale;
  return static_cast<int32_t>(std::nearbyint(static_cast<double>(c.label_penalty) * (scale * scale)));
}

void check(const LbSampling& c) {
  require(c.query && c.key && c.query_labels && c.key_labels && c.keys && c.scores && c.windows && c.strides, "inputs",
          "must not be null");
  require_range(c.height, 1, kis::kMaxSide, "query", "height must lie in 1..32767");
  require_range(c.width, 1, kis::kMaxSide, "query", "width must lie in 1..32767");
  require_range(c.key_height, 1, kis::kMaxSide, "key", "height must lie in 1..32767");
  require_range(c.key_width, 1, kis::kMaxSide, "key", "width must lie in 1..32767");
  require_range(c.channels, 1, kis::kMaxChannels, "query", "channels must lie in 1..128");
  if (c.init) require_range(c.init_count, 0, kis::kMaxInit, "init", "must hold 0..64 keys a query");
  check_attributes(c);
}

namespace {

constexpr int kKeysPerTask = 4096;
// Bands of the in-place scan: contiguous rows with about an equal share of the queries. They depend on the masks
// alone, so the result does not depend on the threads.
constexpr int kBands = 16, kFewestBandRows = 16, kMostBandRows = 64;

int padded(int64_t channels) { return channels <= 16 ? 16 : channels <= 32 ? 32 : channels <= 64 ? 64 : 128; }

class Driver {
 public:
  Driver(const LbSampling& call, int64_t element)
      : c_(call), b_(element), kernels_(kernels_for(call.isa)), threads_(resolve_threads(call.threads)),
        queries_(call.height * call.width), keys_(call.key_height * call.key_width),
        row_bytes_(padded(call.channels)), slots_(slots_for(call.particles)), row_begin_(call.height + 1),
        first_(queries_ * slots_ * sizeof(Ranked)), second_(queries_ * slots_ * sizeof(Ranked)), key_rows_(keys_ * row_bytes_) {}

  void run() {
    const LabelRange key_labels = list_active();
    list_bands();
    Scratch query_rows(size_t(active()) * row_bytes_), corrections(size_t(active()) * sizeof(int32_t));
    fill_search(query_rows.as<int8_t>(), corrections.as<int32_t>());
    const LabelCodes labels(key_labels, c_.key_labels + b_ * keys_, keys_, s_.query_labels, queries_);
    Scratch codes(size_t(keys_) * (labels.bytes ? sizeof(uint8_t) : sizeof(int32_t)));
    fill_codes(labels, codes);
    c_.fast ? scan(labels, codes) : flood(labels, codes);
  }

 private:
  int active() const { return row_begin_.back(); }
  int64_t key_tasks() const { return (keys_ + kKeysPerTask - 1) / kKeysPerTask; }
  int64_t quantise_tasks() const { return key_tasks() + c_.height; }
  int bands() const { return static_cast<int>(bands_.size()) - 1; }
  int phases() const { return 1 + (c_.iterations - 1) * c_.propagations; }

  template <class F>
  void rows(const F& body) {  // a few rows a task
    constexpr int kRows = 4;
    const int height = static_cast<int>(c_.height);
    parallel_for((height + kRows - 1) / kRows, threads_, [&](int64_t task) {
      const int begin = static_cast<int>(task) * kRows;
      for (int y = begin; y < std::min(height, begin + kRows); ++y) body(y);
    });
  }

  // Lists the active queries of each row; on the way, finds the range of the key labels.
  LabelRange list_active() {
    const uint8_t* mask = c_.query_mask ? c_.query_mask + b_ * queries_ : nullptr;
    const int64_t width = c_.width, height = c_.height;
    for (int64_t y = 0; y < height; ++y) {
      int32_t count = mask ? 0 : static_cast<int32_t>(width);
      for (int64_t x = 0; mask && x < width; ++x) count += mask[y * width + x] != 0;
      row_begin_[y + 1] = row_begin_[y] + count;
    }
    active_x_.reset(new int32_t[active() + 1]);
    constexpr int64_t kParts = 16;
    LabelRange ranges[kParts], all;
    parallel_for(kParts, threads_, [&](int64_t part) {
      const int64_t begin = keys_ * part / kParts, end = keys_ * (part + 1) / kParts;
      ranges[part] = LabelRange::of(c_.key_labels + b_ * keys_ + begin, end - begin);
      for (int64_t y = height * part / kParts; y < height * (part + 1) / kParts; ++y) {
        int32_t* to = active_x_.get() + row_begin_[y];
        for (int x = 0; to != active_x_.get() + row_begin_[y + 1]; ++x)
          if (!mask || mask[y * width + x]) *to++ = x;
      }
    });
    for (const LabelRange& range : ranges) all.include(range);
    return all;
  }

  void list_bands() {
    const int share = (active() + kBands - 1) / kBands, height = static_cast<int>(c_.height);
    bands_ = {0};
    for (int y = 1; y < height; ++y) {
      const int begin = bands_.back(), held = row_begin_[y] - row_begin_[begin];
      if (y - begin >= kMostBandRows || (y - begin >= kFewestBandRows && held >= share)) bands_.push_back(y);
    }
    bands_.push_back(height);
  }

  void fill_search(int8_t* query_rows, int32_t* corrections) {
    s_.height = static_cast<int>(c_.height);
    s_.width = static_cast<int>(c_.width);
    s_.key_height = static_cast<int>(c_.key_height);
    s_.key_width = static_cast<int>(c_.key_width);
    s_.particles = c_.particles;
    s_.samples = c_.samples;
    s_.init_count = c_.init ? static_cast<int>(c_.init_count) : 0;
    s_.row_bytes = row_bytes_;
    s_.penalty = integer_penalty(c_);
    s_.ignore_label = c_.ignore_label;
    s_.queries = query_rows_ = query_rows;
    s_.query_correction = corrections_ = corrections;
    s_.keys = key_rows_.as<uint8_t>();
    s_.query_labels = c_.query_labels + b_ * queries_;
    s_.query_mask = c_.query_mask ? c_.query_mask + b_ * queries_ : nullptr;
    s_.row_begin = row_begin_.data();
    s_.active_x = active_x_.get();
    s_.init = c_.init ? c_.init + b_ * queries_ * c_.init_count : nullptr;
    s_.seed = static_cast<uint32_t>(c_.seed);
    const double scale = c_.scale;
    score_unit_ = static_cast<float>(1.0 / (scale * scale));
  }

  void fill_codes(const LabelCodes& labels, const Scratch& codes) {
    s_.codes = labels.bytes ? codes.as<uint8_t>() : nullptr;
    s_.wide_codes = labels.bytes ? nullptr : codes.as<int32_t>();
    s_.label_low = labels.low;
    s_.wide_masked = labels.masked;
  }

  void quantise(const LabelCodes& labels, const Scratch& codes, int64_t task) {
    if (task >= key_tasks()) return quantise_row(static_cast<int>(task - key_tasks()));
    const int64_t begin = task * kKeysPerTask;
    quantise_keys(labels, codes, begin, std::min(keys_, begin + kKeysPerTask));
  }

  void quantise_keys(const LabelCodes& labels, const Scratch& codes, int64_t begin, int64_t end) {
    kernels_.quantise_keys(c_.key + (b_ * keys_ + begin) * c_.channels, end - begin, static_cast<int>(c_.channels),
                           row_bytes_, c_.scale, key_rows_.as<uint8_t>() + begin * row_bytes_);
    const int32_t* label = c_.key_labels + b_ * keys_;
    const uint8_t* allowed = c_.key_mask ? c_.key_mask + b_ * keys_ : nullptr;
    for (int64_t i = begin; i < end; ++i) {
      const bool usable = !allowed || allowed[i];
      if (labels.bytes) codes.as<uint8_t>()[i] = static_cast<uint8_t>(usable ? label[i] - labels.low + 1 : 0);
      else codes.as<int32_t>()[i] = usable ? label[i] : labels.masked;
    }
  }

  void quantise_row(int y) {
    const float* source = c_.query + (b_ * queries_ + int64_t(y) * c_.width) * c_.channels;
    for (int slot = row_begin_[y]; slot < row_begin_[y + 1];) {  // runs of neighbouring active queries
      int end = slot + 1;
      while (end < row_begin_[y + 1] && active_x_[end] == active_x_[end - 1] + 1) ++end;
      kernels_.quantise_queries(source + int64_t(active_x_[slot]) * c_.channels, end - slot, static_cast<int>(c_.channels),
                                row_bytes_, c_.scale, query_rows_ + int64_t(slot) * row_bytes_, corrections_ + slot);
      slot = end;
    }
  }

  // Phase 0 is the random start; the others are the passes of the iterations in turn. Each writes the state that the
  // next one reads.
  Step step_of(int phase) const {
    const int iteration = 1 + (phase - 1) / c_.propagations, pass = (phase - 1) % c_.propagations;
    return {iteration, pass, c_.windows[iteration], c_.strides[iteration * c_.propagations + pass], phase % 2 == 1};
  }
  State state_of(int phase) const {
    Ranked* both[] = {first_.as<Ranked>(), second_.as<Ranked>()};
    return {both[(phase + 1) % 2], both[phase % 2]};
  }
  // The iteration whose last phase this is, or -1.
  int finished(int phase) const { return phase % c_.propagations ? -1 : phase / c_.propagations; }

  // All of it in one go: the tasks are the quantisation, then the bands of each phase in turn. Tasks start in order, and
  // a band waits for those bands in the phase before whose rows it reads, or that read the rows it writes.
  void scan(const LabelCodes& labels, const Scratch& codes) {
    std::unique_ptr<std::atomic<int>[]> phases_done(new std::atomic<int>[bands()]);
    for (int band = 0; band < bands(); ++band) phases_done[band].store(0, std::memory_order_relaxed);
    std::atomic<int64_t> quantised{0};
    parallel_for(quantise_tasks() + int64_t(phases()) * bands(), threads_, [&](int64_t task) {
      if (task < quantise_tasks()) {
        quantise(labels, codes, task);
        quantised.fetch_add(1, std::memory_order_release);
        return;
      }
      const int phase = static_cast<int>((task - quantise_tasks()) / bands());
      const int band = static_cast<int>((task - quantise_tasks()) % bands());
      wait_until(quantised, quantise_tasks());
      for (int other = 0; other < bands(); ++other)
        if (near(band, other, sight(phase))) wait_until(phases_done[other], phase);
      run_band(phase, bands_[band], bands_[band + 1]);
      phases_done[band].store(phase + 1, std::memory_order_release);
    });
  }

  // How many rows away this phase, or the one before, looks.
  int sight(int phase) const {
    const int here = phase ? step_of(phase).stride : 1;
    return phase > 1 ? std::max(here, step_of(phase - 1).stride) : here;
  }
  bool near(int band, int other, int rows) const {
    return bands_[other] < bands_[band + 1] + rows && bands_[other + 1] + rows > bands_[band];
  }

  template <class T>
  static void wait_until(const std::atomic<T>& counter, T reached) {
    while (counter.load(std::memory_order_acquire) < reached) std::this_thread::yield();
  }

  void run_band(int phase, int y_begin, int y_end) {
    if (phase == 0)
      for (int y = y_begin; y < y_end; ++y) start_row(y);
    else
      kernels_.scan_band(s_, state_of(phase), step_of(phase), y_begin, y_end);
    for (int y = y_begin; y < y_end; ++y) emit(phase, y);
  }

  void start_row(int y) {
    for (int slot = 0; s_.query_mask && slot < c_.keep; ++slot) emit_masked_out(slot, y);
    kernels_.start_row(s_, state_of(0).current, y);
  }

  void flood(const LabelCodes& labels, const Scratch& codes) {
    parallel_for(quantise_tasks(), threads_, [&](int64_t task) { quantise(labels, codes, task); });
    for (int phase = 0; phase < phases(); ++phase)
      rows([&](int y) {
        if (phase == 0) start_row(y);
        else kernels_.flood_row(s_, state_of(phase), step_of(phase), y);
        emit(phase, y);
      });
  }

  // Writes row y of this phase's state as outputs, when it ends one of the last `keep` iterations.
  void emit(int phase, int y) {
    const int slot = finished(phase) - (c_.iterations - c_.keep);
    if (finished(phase) < 0 || slot < 0) return;
    const int m = c_.particles;
    int32_t* keys = c_.keys + output_row(slot, y);
    float* scores = c_.scores + output_row(slot, y);
    const Ranked* state = state_of(phase).current + int64_t(y) * c_.width * slots_;
    for (int i = row_begin_[y]; i < row_begin_[y + 1]; ++i) {
      const int64_t x = active_x_[i];
      for (int j = 0; j < m; ++j) {
        const Ranked r = state[x * slots_ + j];
        keys[x * m + j] = static_cast<int32_t>(packed_of(r));
        scores[x * m + j] = is_filler(r) ? kis::kFillerScore : static_cast<float>(score_of(r)) * score_unit_;
      }
    }
  }

  int64_t output_row(int slot, int y) const {
    return ((b_ * c_.keep + slot) * queries_ + int64_t(y) * c_.width) * c_.particles;
  }

  // The whole row as if it were masked out: own coordinates, scores 0. The active queries overwrite theirs later.
  void emit_masked_out(int slot, int y) {
    const int m = c_.particles, last_x = s_.key_width - 1;
    int32_t* keys = c_.keys + output_row(slot, y);
    float* scores = c_.scores + output_row(slot, y);
    const auto row = static_cast<int32_t>(pack(std::min(y, s_.key_height - 1), 0));
    if (m == 4) {
      for (int x = 0; x < s_.width; ++x)
        for (int j = 0; j < 4; ++j) keys[x * 4 + j] = row | std::min(x, last_x);
    } else {
      for (int64_t x = 0; x < s_.width; ++x) std::fill_n(keys + x * m, m, row | smaller(static_cast<int>(x), last_x));
    }
    std::fill_n(scores, int64_t(s_.width) * m, 0.0f);
  }

  const LbSampling& c_;
  const int64_t b_;
  const Kernels& kernels_;
  const int threads_;
  const int64_t queries_, keys_;
  const int row_bytes_, slots_;
  std::vector<int32_t> row_begin_, bands_;
  std::unique_ptr<int32_t[]> active_x_;
  Scratch first_, second_, key_rows_;
  Search s_{};
  int8_t* query_rows_ = nullptr;
  int32_t* corrections_ = nullptr;
  float score_unit_ = 0;
};

}  // namespace

void check_attributes(const LbSampling& c) {
  require_range(c.particles, kis::kParticlesMin, kis::kParticlesMax, "particles", "must lie in 1..16");
  require(c.iterations >= 1, "windows", "must hold one entry an iteration, at least one");
  require_range(c.samples, kis::kSamplesMin, kis::kSamplesMax, "samples", "must lie in 0..64");
  require_range(c.propagations, kis::kPropagationsMin, kis::kPropagationsMax, "propagations", "must lie in 1..64");
  require_range(c.keep, kis::kKeepMin, c.iterations, "keep", "must lie in 1..number of iterations");
  require_range(c.scale, kis::kScaleMin, kis::kScaleMax, "scale", "must lie in 1e-06..1e+06");
  require_range(c.label_penalty, kis::kLabelPenaltyMin, kis::kLabelPenaltyMax, "label_penalty", "must lie in 0..1e+09");
  require(static_cast<double>(c.label_penalty) * (static_cast<double>(c.scale) * c.scale) <= kis::kMaxIntegerPenalty,
          "label_penalty", "label_penalty * scale^2 must not exceed 2^30");
  for (int i = 0; i < c.iterations; ++i)
    require_range(c.windows[i], kis::kWindowsMin, kis::kWindowsMax, "windows", "entries must lie in 0..32767");
  for (int i = c.propagations; i < c.iterations * c.propagations; ++i)
    require_range(c.strides[i], kis::kStridesMin, kis::kStridesMax, "strides", "entries must lie in 1..32767");
}

void key_index_sampling(const LbSampling& call) {
  check(call);
  for (int64_t b = 0; b < call.batch; ++b) Driver(call, b).run();
}

}  // namespace layoutbrush
