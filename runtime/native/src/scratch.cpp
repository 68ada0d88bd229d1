#include "scratch.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace layoutbrush {
namespace {

constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kKeptBytes = size_t(192) << 20;  // at most this much waits for the next call

struct Block {
  void* memory;
  size_t bytes;
};

struct Shelf {
  std::mutex mutex;
  std::vector<Block> blocks;
  size_t bytes = 0;
};

Shelf& shelf() {
  static auto* instance = new Shelf;  // never destroyed: calls may outlive the static destructors
  return *instance;
}

size_t rounded(size_t bytes) {
  const size_t unit = bytes >= kHugePage ? kHugePage : 4096;
  return (bytes + unit - 1) / unit * unit;
}

void* allocate(size_t bytes) {
  const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  void* memory = std::aligned_alloc(alignment, bytes);
  if (!memory) throw std::bad_alloc();
#if defined(__linux__)
  if (bytes >= kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

}  // namespace

Scratch::Scratch(size_t bytes) : memory_(nullptr), bytes_(rounded(bytes ? bytes : 1)) {
  {
    Shelf& s = shelf();
    std::lock_guard<std::mutex> lock(s.mutex);
    auto best = s.blocks.end();
    for (auto b = s.blocks.begin(); b != s.blocks.end(); ++b)
      if (b->bytes >= bytes_ && b->bytes <= 2 * bytes_ && (best == s.blocks.end() || b->bytes < best->bytes)) best = b;
    if (best != s.blocks.end()) {
      memory_ = best->memory;
      bytes_ = best->bytes;
      s.bytes -= bytes_;
      s.blocks.erase(best);
      return;
    }
  }
  memory_ = allocate(bytes_);
}

Scratch::~Scratch() {
  std::vector<Block> dropped;
  try {
    Shelf& s = shelf();
    std::lock_guard<std::mutex> lock(s.mutex);
    s.blocks.push_back({memory_, bytes_});
    s.bytes += bytes_;
    while (s.bytes > kKeptBytes) {  // the oldest goes first
      dropped.push_back(s.blocks.front());
      s.bytes -= s.blocks.front().bytes;
      s.blocks.erase(s.blocks.begin());
    }
  } catch (const std::bad_alloc&) {
    // Not shelved: the block is lost to reuse; free it below unless it already stands on the shelf.
  }
  for (const Block& b : dropped) std::free(b.memory);
}

}  // namespace layoutbrush
