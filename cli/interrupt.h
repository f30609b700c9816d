// Turns signals into a stop request: the first Ctrl-C asks the running command to finish its step,
// the second kills the process. SIGHUP (the terminal was closed) and SIGUSR1 (a cluster's warning)
// also request a stop.
#pragma once
#include <functional>
#include <stop_token>
#include <thread>

namespace dino::cli {

/** Handles SIGINT, SIGTERM, SIGHUP and SIGUSR1 during its lifetime; at most one object may exist. A
 * second SIGINT or SIGTERM kills the process. SIGHUP and SIGUSR1 may repeat, and a first SIGINT or
 * SIGTERM after them does not kill. Commands that cannot stop cleanly do not use this class. */
class InterruptGuard {
 public:
  /** `on_signal` runs once, on a thread of its own, at the first signal. */
  explicit InterruptGuard(std::function<void()> on_signal);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread waiter_;
};

}  // namespace dino::cli
