// Ctrl-C as a stop token: the first one asks the running command to finish its step, the second
// kills the process. A terminal that hangs up (SIGHUP) and a cluster's warning (SIGUSR1) ask too.
#pragma once
#include <functional>
#include <stop_token>
#include <thread>

namespace dino::cli {

/** Catches SIGINT, SIGTERM, SIGHUP and SIGUSR1 while it lives; at most one at a time. A second
 * SIGINT or SIGTERM kills; the others may come again, and one of those two after them. Commands
 * that cannot stop cleanly do not make one and are simply killed. */
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
