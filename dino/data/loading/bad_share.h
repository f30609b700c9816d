// When bad images are too many; private to dino/data.
#pragma once
#include <cstdint>
#include <span>
#include <unordered_set>

namespace dino::data {

/** Judged on the images that were asked for (bad ones often lie together, and replacements would
 * meet the same ones again and again), and on all of a source. Thread-compatible; over() is
 * thread-safe. */
class BadShare {
 public:
  /** `most`: the share that is tolerated, in [0, 1]. */
  explicit BadShare(double most) : most_(most) {}

  bool over(std::int64_t bad, std::int64_t of) const {
    constexpr std::int64_t kFewest = 16;  // a share of fewer means nothing
    return bad >= kFewest && static_cast<double>(bad) > most_ * static_cast<double>(of);
  }

  /** Counts a batch: `met` names all bad images on the way to its good ones, of a source of
   * `images` (0: nobody knows). Whether there are too many now. */
  bool add(std::int64_t asked, std::int64_t asked_bad, std::span<const std::uint64_t> met,
           std::int64_t images) {
    asked_ += asked;
    asked_bad_ += asked_bad;
    met_.insert(met.begin(), met.end());
    return over(asked_bad_, asked_) || (images > 0 && over(std::ssize(met_), images));
  }

 private:
  double most_;
  std::int64_t asked_ = 0, asked_bad_ = 0;
  std::unordered_set<std::uint64_t> met_;
};

}  // namespace dino::data
