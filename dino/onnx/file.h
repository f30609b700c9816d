// Reads and writes graphs as ONNX files. Only this part depends on protobuf and libonnx.
#pragma once
#include <filesystem>
#include <functional>

#include "dino/onnx/graph.h"

namespace dino::onnx {

struct WriteOptions {
  /** With more bytes of constants, matrices are stored in a second file, `path`.data, since
   * protobuf files are limited to 2 GiB. */
  std::int64_t inline_bytes = 2'000'000'000;
};

/** Writes the graph to a temporary file, validates it with libonnx, reads it back, and calls
 * `check` with the result, which may throw; only then renames the file to `path`. Throws
 * Error{Io}, Error{Internal} if libonnx rejects the graph, and what `check` throws; `path` is then
 * unchanged. */
void write(const std::filesystem::path& path, const Graph& graph,
           const std::function<void(const Graph&)>& check, const WriteOptions& options = {});

/** Reads a graph, which owns the memory or mapping of its constants. Throws Error{Io};
 * Error{Format} if this is not an ONNX file or uses features that write() does not. */
Graph read(const std::filesystem::path& path);

}  // namespace dino::onnx
