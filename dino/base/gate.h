// A gate that lets many threads work, or only a few while others need the processors.
#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>

namespace dino {

/** Thread-safe. While the gate is open any number of threads are inside; once it is narrow, threads
 * that want in sleep until fewer than `width` are inside. Those inside may stay. */
class Gate {
 public:
  /** Narrow at first. With a width of 0 nobody comes in until it is opened. */
  explicit Gate(int width) : width_(width) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void open();
  void narrow();

  /** A thread is inside while it holds one. */
  class Pass {
   public:
    explicit Pass(Gate& gate) : gate_(gate) { gate_.enter(); }
    ~Pass() { gate_.leave(); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

    /** Between two pieces of work: leaves and enters again if the gate is narrow. */
    void renew() {
      if (gate_.is_open_.load(std::memory_order_relaxed)) return;
      gate_.leave();
      gate_.enter();
    }

   private:
    Gate& gate_;
  };

 private:
  void enter();
  void leave();

  const int width_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> is_open_ = false;
  int inside_ = 0;
};

}  // namespace dino
