// One queue, one lock: tasks here are images and tiles, long against a lock. Leaves out work
// stealing and affinity.
#include "dino/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>

namespace dino {
namespace {

/** What the threads of one parallel_for share. Helpers that start late find it closed, so nobody
 * waits for a helper that is still in the queue: that is what makes nesting safe. */
class Loop {
 public:
  Loop(std::int64_t count, const std::function<void(std::int64_t)>& function)
      : count_(count), function_(function) {}

  /** Takes part until no index is left. */
  void help() {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      ++active_;
    }
    std::exception_ptr error;
    try {
      for (std::int64_t i = next_++; i < count_; i = next_++) function_(i);
    } catch (...) {
      error = std::current_exception();
      next_ = count_;
    }
    const std::lock_guard lock(mutex_);
    if (error && !error_) error_ = error;
    if (--active_ == 0) idle_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    idle_.wait(lock, [this] { return active_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const std::int64_t count_;
  const std::function<void(std::int64_t)>& function_;  // alive until wait() returns
  std::atomic<std::int64_t> next_{0};
  std::mutex mutex_;
  std::condition_variable idle_;
  int active_ = 0;
  bool closed_ = false;
  std::exception_ptr error_;
};

}  // namespace

ThreadPool::ThreadPool(std::size_t workers) {
  workers_.reserve(workers);
  for (std::size_t i = 0; i < workers; ++i)
    workers_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
}

ThreadPool::~ThreadPool() {
  std::deque<std::packaged_task<void()>>
      dropped;  // destroyed outside the lock: a task may own anything
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
  }
  for (auto& worker : workers_) worker.request_stop();  // all at once, then joined one by one
}

void ThreadPool::work(std::stop_token stop) {
  for (;;) {
    std::packaged_task<void()> task;
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

void ThreadPool::enqueue(std::packaged_task<void()> task) {
  if (workers_.empty()) {
    task();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;  // dropped: a running task that waits for it must not wait for ever
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void ThreadPool::parallel_for(std::int64_t count,
                              const std::function<void(std::int64_t)>& function) {
  const auto loop = std::make_shared<Loop>(count, function);
  const auto helpers = std::min(static_cast<std::int64_t>(size()), count - 1);
  for (std::int64_t i = 0; i < helpers; ++i)
    enqueue(std::packaged_task<void()>([loop] { loop->help(); }));
  loop->help();
  loop->wait();
}

}  // namespace dino
