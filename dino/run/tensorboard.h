// TensorBoard event files: TFRecord frames (length, masked CRC-32C) around `Event` protocol
// buffers. Only scalars; the few fields are encoded by hand, which is shorter than depending on
// protobuf.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dino/run/append_file.h"

namespace dino::run {

using Scalars = std::vector<std::pair<std::string, double>>;

/** CRC-32C (Castagnoli) of the bytes. */
std::uint32_t crc32c(std::string_view bytes);
/** `payload` framed as TFRecord does. */
std::string tf_record(std::string_view payload);
/** An Event holding one Summary value per scalar. wall_time: seconds since 1970. */
std::string scalars_event(double wall_time, std::int64_t step, const Scalars& scalars);

/** One events.* file. Each write is complete on return. Thread-compatible. Throws Error{Io}. */
class EventWriter {
 public:
  /** Starts a new file `folder/events.out.tfevents.*`. Beside files of earlier sessions,
   * TensorBoard forgets what they say of steps after `steps_done`. */
  EventWriter(const std::filesystem::path& folder, double wall_time, std::int64_t steps_done);
  void write(double wall_time, std::int64_t step, const Scalars& scalars);

 private:
  AppendFile file_;
};

}  // namespace dino::run
