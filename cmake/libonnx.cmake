# Target dino::libonnx: the schema of ONNX files and their checker, with the protobuf their bytes are in. Debian's own
# CMake files of ONNX are not used: they name targets without a namespace. Also read by the installed package.
find_package(Protobuf REQUIRED)
find_path(ONNX_INCLUDE onnx/checker.h REQUIRED)
find_library(ONNX_LIBRARY onnx REQUIRED)
find_library(ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
add_library(dino::libonnx INTERFACE IMPORTED)
target_include_directories(dino::libonnx SYSTEM INTERFACE ${ONNX_INCLUDE})
target_compile_definitions(dino::libonnx INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1)  # as Debian built it
target_link_libraries(dino::libonnx INTERFACE ${ONNX_LIBRARY} ${ONNX_PROTO_LIBRARY} protobuf::libprotobuf)
