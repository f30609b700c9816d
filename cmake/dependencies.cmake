# Every foreign library, with the one job it does. Debian packages; only LibTorch comes from elsewhere.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)             # text formatting
find_package(nlohmann_json REQUIRED)   # JSON in and out
find_package(JPEG REQUIRED)            # JPEG decoding and encoding (libjpeg-turbo)
find_package(PNG REQUIRED)             # PNG decoding and encoding
find_package(TIFF REQUIRED)            # TIFF decoding
find_package(GIF REQUIRED)             # GIF decoding
find_package(ZLIB REQUIRED)            # gzip streams (IDX.gz)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp libwebpdemux)  # WebP decoding
pkg_check_modules(HEIF REQUIRED IMPORTED_TARGET libheif)      # HEIC and AVIF decoding
pkg_check_modules(JXL REQUIRED IMPORTED_TARGET libjxl)        # JPEG XL decoding
pkg_check_modules(OPENJPEG REQUIRED IMPORTED_TARGET libopenjp2)  # JPEG 2000 decoding, also in DICOM files
pkg_check_modules(CHARLS REQUIRED IMPORTED_TARGET charls)     # JPEG-LS decoding, in DICOM files

include(libonnx)                       # ONNX files: their schema and checker

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
