// How many processors this process may use, and how the threads that a user asks for are divided
// between computing and loading images. No other file asks the system for processors.
#pragma once
#include <cstddef>
#include <filesystem>
#include <limits>

namespace dino {

/** Processors this process may use: those of its affinity mask, and no more than the CPU quotas of
 * its control groups pay for, rounded up. At least 1. Reads /proc and /sys. */
int usable_processors();

/** The smallest CPU quota, in processors and rounded up, of the control groups that `membership`
 * (in the form of /proc/self/cgroup) names below `root` (/sys/fs/cgroup), and of those above them;
 * the largest int if none has a quota or nothing can be read. Both versions of control groups. */
int control_group_quota(const std::filesystem::path& membership, const std::filesystem::path& root);

/** Who runs when, of the threads of one piece of work. Threads that may not run sleep. */
struct ThreadPlan {
  int computing = 1;  ///< LibTorch's (at::set_num_threads); decides the last digits of results
  int loading = 0;    ///< read, decode and crop; all may run while the computing ones wait for them
  int beside = 0;     ///< of the loading ones, how many may run while the others compute

  /** The most that ever run at once. */
  int most_running() const;
};

/** Training: `threads` (--threads) compute, `workers` (data.workers) load. While a step computes,
 * one worker in eight threads goes on, so that batches are ready without taking the processors
 * from the step; the others help where the step has to wait. With 0 workers the computing thread
 * loads. */
ThreadPlan plan_training(int threads, int workers);

/** Features of images (embedding, k-NN, figures): as many threads load as compute, in turns, but
 * for one in eight that goes on loading beside. A single thread does one after the other. */
ThreadPlan plan_features(int threads);

/** Workers of a ThreadPool for images alone, without a network: its caller works too, so one less
 * than `threads`; 0 = as many threads as there are usable processors. */
std::size_t pool_workers(int threads);

}  // namespace dino
