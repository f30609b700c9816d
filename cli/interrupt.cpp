#include "cli/interrupt.h"

#include <semaphore.h>

#include <array>
#include <csignal>

#include "dino/base/error.h"

namespace dino::cli {
namespace {

constexpr std::array kSignals = {
    SIGINT, SIGTERM,
    SIGHUP,   // the terminal is gone: an ssh line that dropped, often sent twice
    SIGUSR1,  // SLURM's warning that time is nearly up, with SIGTERM to follow
};

// A signal handler can only use globals, and only async-signal-safe functions.
sem_t signaled;
volatile std::sig_atomic_t has_stopped = 0, has_insisted = 0;

extern "C" void handle_signal(int signal) {
  if (signal == SIGINT || signal == SIGTERM) {
    if (has_insisted != 0) {  // the second one is meant
      std::signal(signal, SIG_DFL);
      std::raise(signal);
      return;
    }
    has_insisted = 1;
  }
  if (has_stopped != 0) return;
  has_stopped = 1;
  sem_post(&signaled);
}

/** The reader of our output may exit before us (SIGPIPE). The signal is caught, not ignored, since
 * child processes would inherit the latter. */
extern "C" void handle_broken_pipe(int) {}

}  // namespace

InterruptGuard::InterruptGuard(std::function<void()> on_signal) {
  has_stopped = 0;
  has_insisted = 0;
  DINO_ASSERT(sem_init(&signaled, 0, 0) == 0);
  waiter_ = std::jthread([this, on_signal = std::move(on_signal)](const std::stop_token& closing) {
    while (sem_wait(&signaled) != 0) {
    }
    if (closing.stop_requested()) return;
    source_.request_stop();
    try {
      if (on_signal) on_signal();
    } catch (...) {  // no memory for a message is no reason to die before the save
    }
  });
  for (const int signal : kSignals) {
    // Signals that nohup ignores stay ignored. Shells ignore SIGINT for background jobs, but one
    // sent explicitly is meant.
    if (std::signal(signal, handle_signal) == SIG_IGN && signal == SIGHUP)
      std::signal(signal, SIG_IGN);
  }
  std::signal(SIGPIPE, handle_broken_pipe);
}

InterruptGuard::~InterruptGuard() {
  for (const int signal : kSignals)
    if (std::signal(signal, SIG_DFL) == SIG_IGN) std::signal(signal, SIG_IGN);
  std::signal(SIGPIPE, SIG_DFL);
  waiter_.request_stop();
  sem_post(&signaled);
  waiter_.join();
  sem_destroy(&signaled);
}

}  // namespace dino::cli
