# Every foreign library, with the one job it does. Debian packages; only LibTorch comes from elsewhere.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)             # text formatting
find_package(nlohmann_json REQUIRED)   # JSON in and out
find_package(JPEG REQUIRED)            # JPEG decoding and encoding (libjpeg-turbo)
find_package(ZLIB REQUIRED)            # gzip streams (IDX.gz)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SPNG REQUIRED IMPORTED_TARGET spng)  # PNG decoding and encoding

find_package(Protobuf REQUIRED)        # the bytes of ONNX files
find_path(ONNX_INCLUDE onnx/checker.h REQUIRED)
find_library(ONNX_LIBRARY onnx REQUIRED)
find_library(ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
add_library(dino_libonnx INTERFACE)    # the schema of ONNX files and their checker
target_include_directories(dino_libonnx SYSTEM INTERFACE ${ONNX_INCLUDE})
target_compile_definitions(dino_libonnx INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1)
target_link_libraries(dino_libonnx INTERFACE ${ONNX_LIBRARY} ${ONNX_PROTO_LIBRARY} protobuf::libprotobuf)

# toml++ (recipes) and xxHash (checksums, RNG stream names) are used header-only.
find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
add_library(dino_tomlplusplus INTERFACE)
target_include_directories(dino_tomlplusplus SYSTEM INTERFACE ${TOMLPLUSPLUS_INCLUDE})
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
add_library(dino_xxhash INTERFACE)
target_include_directories(dino_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE})

if(DINO_TORCH)
  include(libtorch)                    # tensors, autograd
  find_package(CLI11 REQUIRED)         # command line
endif()
if(DINO_TESTS)
  find_package(GTest REQUIRED)         # tests
  include(GoogleTest)
endif()
