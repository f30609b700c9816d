// What reading and writing share of protobuf; for the two of them only.
#pragma once
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <memory>

namespace dino::onnx {

/** Throws Error{Io}; Error{Format} if it is no ONNX file. */
std::shared_ptr<::onnx::ModelProto> parse_model(const std::filesystem::path& path);

}  // namespace dino::onnx
