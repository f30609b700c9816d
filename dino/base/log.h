// Where messages go. The library never prints: whoever owns the process passes a sink.
#pragma once
#include <functional>
#include <string_view>

namespace dino {

enum class LogLevel { Info, Warning, Alarm };

/** Receives one message without a trailing newline. May be called from any thread. Empty = silent.
 */
using LogSink = std::function<void(LogLevel, std::string_view)>;

inline void log(const LogSink& sink, LogLevel level, std::string_view message) {
  if (sink) sink(level, message);
}

}  // namespace dino
