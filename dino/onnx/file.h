// Graphs as ONNX files. The only part that knows protobuf and libonnx.
#pragma once
#include <filesystem>
#include <functional>

#include "dino/onnx/graph.h"

namespace dino::onnx {

struct WriteOptions {
  /** Above so many bytes of constants, matrices go into a second file, `path`.data, for a protobuf
   * file ends at 2 GiB. */
  std::int64_t inline_bytes = 2'000'000'000;
};

/** Writes the graph beside `path`, has libonnx check it and infer its shapes, reads it back, and
 * shows that to `check`, which throws if it is not content; only then does the file take its place.
 * Throws Error{Io}, Error{Internal} if libonnx refuses it, and what `check` throws; `path` is then
 * as it was. */
void write(const std::filesystem::path& path, const Graph& graph,
           const std::function<void(const Graph&)>& check, const WriteOptions& options = {});

/** The constants' bytes stay in memory or mapped as long as any copy of the graph. Throws
 * Error{Io}; Error{Format} if it is no ONNX file or has what write() does not write. */
Graph read(const std::filesystem::path& path);

}  // namespace dino::onnx
