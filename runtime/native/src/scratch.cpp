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
constexpr size_t kKeptBlocks = 64;
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
  static Shelf* instance = [] {
    auto* fresh = new Shelf;  // never destroyed: calls may outlive the static destructors
    fresh->blocks.reserve(kKeptBlocks);
    return fresh;
  }();
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

void* take(size_t wanted, size_t* taken) {
  const size_t bytes = rounded(wanted ? wanted : 1);
  {
    Shelf& s = shelf();
    std::lock_guard<std::mutex> lock(s.mutex);
    auto best = s.blocks.end();
    for (auto b = s.blocks.begin(); b != s.blocks.end(); ++b)
      if (b->bytes >= bytes && b->bytes <= 2 * bytes && (best == s.blocks.end() || b->bytes < best->bytes)) best = b;
    if (best != s.blocks.end()) {
      const Block found = *best;
      s.bytes -= found.bytes;
      s.blocks.erase(best);
      *taken = found.bytes;
      return found.memory;
    }
  }
  *taken = bytes;
  return allocate(bytes);
}

void give(void* memory, size_t bytes) {
  Shelf& s = shelf();
  std::lock_guard<std::mutex> lock(s.mutex);
  size_t dropped = 0;  // the oldest go first
  s.bytes += bytes;
  while (s.bytes > kKeptBytes && dropped < s.blocks.size()) {
    s.bytes -= s.blocks[dropped].bytes;
    std::free(s.blocks[dropped++].memory);
  }
  s.blocks.erase(s.blocks.begin(), s.blocks.begin() + static_cast<std::ptrdiff_t>(dropped));
  if (s.bytes > kKeptBytes || s.blocks.size() == s.blocks.capacity()) {  // no room, or none without allocating
    s.bytes -= bytes;
    std::free(memory);
    return;
  }
  s.blocks.push_back({memory, bytes});
}

}  // namespace

Scratch::Scratch(size_t bytes) : memory_(take(bytes, &bytes_)) {}

Scratch::~Scratch() { give(memory_, bytes_); }

}  // namespace layoutbrush
