#include "cli/interrupt.h"

#include <semaphore.h>

#include <csignal>

#include "dino/base/error.h"

namespace dino::cli {
namespace {

// A signal handler can reach nothing but globals, and of those only what is async-signal-safe.
sem_t signalled;
volatile std::sig_atomic_t signal_count = 0;

extern "C" void handle_signal(int signal) {
  if (signal_count > 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return;
  }
  signal_count = 1;
  sem_post(&signalled);
}

}  // namespace

InterruptGuard::InterruptGuard(std::function<void()> on_signal) {
  signal_count = 0;
  DINO_ASSERT(sem_init(&signalled, 0, 0) == 0);
  waiter_ = std::jthread([this, on_signal = std::move(on_signal)](const std::stop_token& closing) {
    while (sem_wait(&signalled) != 0) {
    }
    if (closing.stop_requested()) return;
    source_.request_stop();
    if (on_signal) on_signal();
  });
  std::signal(SIGINT, handle_signal);
  std::signal(SIGTERM, handle_signal);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  waiter_.request_stop();
  sem_post(&signalled);
  waiter_.join();
  sem_destroy(&signalled);
}

}  // namespace dino::cli
