#include "thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace layoutbrush {
namespace {

constexpr int kSpins = 300;  // turns given away before a thread sleeps: some tens of microseconds

struct Job {
  Task task;
  void* context;
  int64_t count;
  std::atomic<int64_t> next{0};
  std::atomic<int64_t> done{0};
  int helpers;  // workers still wanted; guarded by the pool's mutex
  std::mutex mutex;
  std::condition_variable finished;

  void work() {
    int64_t mine = 0;
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count; ++mine) task(context, i);
    if (mine && done.fetch_add(mine, std::memory_order_acq_rel) + mine == count) {
      std::lock_guard<std::mutex> lock(mutex);
      finished.notify_all();
    }
  }
  bool complete() const { return done.load(std::memory_order_acquire) == count; }
};

class Pool {
 public:
  void run(int64_t count, int threads, Task task, void* context) {
    auto job = std::make_shared<Job>();
    job->task = task;
    job->context = context;
    job->count = count;
    job->helpers = static_cast<int>(std::min<int64_t>(threads, count)) - 1;
    bool asleep;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      grow(job->helpers);
      jobs_.push_back(job);
      waiting_jobs_.store(static_cast<int>(jobs_.size()), std::memory_order_release);
      asleep = sleepers_ > 0;
    }
    if (asleep) wake_.notify_all();
    job->work();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), job), jobs_.end());
      waiting_jobs_.store(static_cast<int>(jobs_.size()), std::memory_order_release);
    }
    for (int spin = 0; spin < kSpins && !job->complete(); ++spin) std::this_thread::yield();
    std::unique_lock<std::mutex> lock(job->mutex);
    job->finished.wait(lock, [&] { return job->complete(); });
  }

 private:
  void grow(int wanted) {
    try {
      while (workers_ < wanted) {
        std::thread([this] { serve(); }).detach();
        ++workers_;
      }
    } catch (const std::exception&) {  // no more threads to be had: fewer do the work
    }
  }

  void serve() {
    for (;;) {
      // The passes of one call follow each other closely: look around for a moment before sleeping.
      for (int spin = 0; spin < kSpins && !waiting_jobs_.load(std::memory_order_acquire); ++spin)
        std::this_thread::yield();
      std::shared_ptr<Job> job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        ++sleepers_;
        wake_.wait(lock, [&] { return !jobs_.empty(); });
        --sleepers_;
        job = jobs_.front();
        if (--job->helpers == 0) jobs_.pop_front();
        waiting_jobs_.store(static_cast<int>(jobs_.size()), std::memory_order_release);
      }
      job->work();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  std::atomic<int> waiting_jobs_{0};  // their number, for a look without the mutex
  int workers_ = 0, sleepers_ = 0;
};

// Never destroyed: its detached threads may outlive the static destructors.
std::atomic<Pool*> g_pool{nullptr};

Pool& pool() {
  Pool* current = g_pool.load(std::memory_order_acquire);
  if (!current) {
    auto* fresh = new Pool;
    if (g_pool.compare_exchange_strong(current, fresh)) {
      current = fresh;
#if defined(__unix__) || defined(__APPLE__)
      // A forked child inherits the pool without its threads: it starts a new one.
      static const int once = pthread_atfork(nullptr, nullptr, [] { g_pool.store(nullptr); });
      (void)once;
#endif
    } else {
      delete fresh;
    }
  }
  return *current;
}

}  // namespace

void parallel_for(int64_t count, int threads, Task task, void* context) {
  if (count <= 0) return;
  if (threads <= 1 || count == 1) {
    for (int64_t i = 0; i < count; ++i) task(context, i);
    return;
  }
  pool().run(count, threads, task, context);
}

namespace {

// Cores that this process may run on: fewer than the machine's under taskset or in a container with a cpuset.
int allowed_cores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

int resolve_threads(int requested) {
  if (requested <= 0) {
    const char* text = std::getenv("LAYOUTBRUSH_NUM_THREADS");
    requested = text ? std::atoi(text) : 0;
  }
  if (requested <= 0) requested = allowed_cores();
  return std::clamp(requested, 1, 256);
}

}  // namespace layoutbrush
