// Protobuf code shared by read.cpp and write.cpp; private to them.
#pragma once
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <memory>

namespace dino::onnx {

/** Parses an ONNX file. Throws Error{Io}; Error{Format} if it is not one. */
std::shared_ptr<::onnx::ModelProto> parse_model(const std::filesystem::path& path);

}  // namespace dino::onnx
