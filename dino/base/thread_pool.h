// A fixed set of worker threads owned by one object.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace dino {

/** Thread-safe. The destructor finishes the tasks that run, drops those that wait (their futures
 * report broken_promise) and joins. Idle workers sleep. */
class ThreadPool {
 public:
  /** With 0 workers everything runs in the calling thread. */
  explicit ThreadPool(std::size_t workers);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t size() const { return workers_.size(); }

  /** Runs function(i) for each i in [0, count), in any order, on the workers and the calling
   * thread; returns when all are done. After an exception no new index is begun, and the first one
   * thrown is rethrown here. May be nested. */
  void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& function);

  /** Queues one task, first in first out. Its result or exception comes through the future. */
  template <typename Function>
  std::future<std::invoke_result_t<Function>> submit(Function function) {
    std::packaged_task<std::invoke_result_t<Function>()> task(std::move(function));
    auto result = task.get_future();
    enqueue(std::packaged_task<void()>([task = std::move(task)]() mutable { task(); }));
    return result;
  }

 private:
  void enqueue(std::packaged_task<void()> task);
  void work(std::stop_token stop);

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::packaged_task<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::jthread> workers_;  // last: joined before the queue goes
};

}  // namespace dino
