// The bad images that a loader has met; private to dino/data.
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "dino/base/log.h"
#include "dino/data/sources/bad_image.h"

namespace dino::data {

/** One that was skipped. */
struct BadFile {
  std::string name;
  BadReason reason = BadReason::Corrupt;
  std::string message;
};

/** Each is counted, listed and logged once, however many workers meet it. Thread-safe. */
class BadImages {
 public:
  explicit BadImages(LogSink log) : log_(std::move(log)) {}

  bool contains(std::uint64_t identity) const;
  /** `raw_name` may hold any bytes. */
  void add(std::uint64_t identity, const std::string& raw_name, const Error& error);
  /** Those met since the last call. */
  std::vector<BadFile> take_new();

  struct Counts {
    std::vector<std::string> listed;  ///< name and reason of the first 100
    std::int64_t all = 0;
    std::map<BadReason, std::int64_t> by_reason;
  };
  Counts counts() const;

 private:
  const LogSink log_;
  mutable std::mutex mutex_;  // guards all below
  Counts counts_;
  std::unordered_set<std::uint64_t> known_;
  std::vector<BadFile> new_;
};

}  // namespace dino::data
