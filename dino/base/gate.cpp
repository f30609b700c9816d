#include "dino/base/gate.h"

namespace dino {

void Gate::open() {
  {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
  }
  changed_.notify_all();
}

void Gate::narrow() {
  const std::lock_guard lock(mutex_);
  is_open_ = false;
}

void Gate::enter() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_open_ || inside_ < width_; });
  ++inside_;
}

void Gate::leave() {
  {
    const std::lock_guard lock(mutex_);
    --inside_;
  }
  changed_.notify_one();
}

}  // namespace dino
