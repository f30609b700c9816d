// The interface for log messages. The library never prints; the application passes a sink.
#pragma once
#include <functional>
#include <string_view>

namespace dino {

enum class LogLevel { Info, Warning, Alarm };

/** Receives one message without a trailing newline. It may be called from any thread. An empty sink
 * discards messages. */
using LogSink = std::function<void(LogLevel, std::string_view)>;

inline void log(const LogSink& sink, LogLevel level, std::string_view message) {
  if (sink) sink(level, message);
}

}  // namespace dino
