// Working memory that survives between calls: fresh pages cost as much as a small search.
#pragma once
#include <cstddef>

namespace layoutbrush {

// A 64-byte aligned, uninitialised block, handed back for reuse when destroyed. Throws std::bad_alloc.
class Scratch {
 public:
  explicit Scratch(size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  T* as() const { return static_cast<T*>(memory_); }

 private:
  size_t bytes_ = 0;
  void* memory_;
};

}  // namespace layoutbrush
