// Decides when a data set has too many bad images; private to dino/data.
#pragma once
#include <cstdint>
#include <span>
#include <unordered_set>

namespace dino::data {

/** Compares the share of bad images with a limit: among the images requested (not their
 * replacements, since bad images are often neighbors), and among all images of the source.
 * Thread-compatible; over() is thread-safe. */
class BadShare {
 public:
  /** `most` is the largest tolerated share, in [0, 1]. */
  explicit BadShare(double most) : most_(most) {}

  bool over(std::int64_t bad, std::int64_t of) const {
    constexpr std::int64_t kFewest = 16;  // fewer bad images never count as too many
    return bad >= kFewest && static_cast<double>(bad) > most_ * static_cast<double>(of);
  }

  /** Counts a batch of `asked` images, of which `asked_bad` were bad; `met` identifies all bad
   * images seen, replacements included. `images` is the size of the source, or 0 if unknown.
   * Returns whether there are too many now. */
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
