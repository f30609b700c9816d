# Target dino::libtorch: LibTorch as scripts/setup puts it into .deps/torch, or from DINO_LIBTORCH, a folder with include/ and
# lib/libtorch_cpu.so. TorchConfig.cmake is not used: it demands a CUDA toolkit. Also read by the installed package.
if(NOT DINO_LIBTORCH AND DEFINED ENV{DINO_LIBTORCH})
  set(DINO_LIBTORCH "$ENV{DINO_LIBTORCH}")
endif()
if(NOT DINO_LIBTORCH)
  set(DINO_LIBTORCH "${DINO_LIBTORCH_DEFAULT}")
endif()
get_filename_component(DINO_LIBTORCH "${DINO_LIBTORCH}" REALPATH)
set(DINO_LIBTORCH "${DINO_LIBTORCH}" CACHE PATH "LibTorch folder (include/, lib/)")
if(NOT EXISTS "${DINO_LIBTORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch not found in '${DINO_LIBTORCH}': run scripts/setup, or set DINO_LIBTORCH to a folder "
                      "that holds include/ and lib/libtorch_cpu.so")
endif()

file(READ "${DINO_LIBTORCH}/include/torch/headeronly/version.h" DINO_LIBTORCH_VERSION)
string(REGEX REPLACE ".*define TORCH_VERSION[ \\\n]*\"([^\"]*)\".*" "\\1" DINO_LIBTORCH_VERSION "${DINO_LIBTORCH_VERSION}")

# LibTorch ships headers of its own, newer fmt, which would shadow the system's and not link with it: a folder that holds
# nothing but a link to the system's fmt comes first.
get_target_property(DINO_FMT_INCLUDE fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
set(DINO_FMT_FIRST "${CMAKE_CURRENT_BINARY_DIR}/fmt_first")
file(MAKE_DIRECTORY "${DINO_FMT_FIRST}")
file(CREATE_LINK "${DINO_FMT_INCLUDE}/fmt" "${DINO_FMT_FIRST}/fmt" SYMBOLIC)

add_library(dino::libtorch INTERFACE IMPORTED)
target_include_directories(dino::libtorch INTERFACE
  "${DINO_FMT_FIRST}" "${DINO_LIBTORCH}/include" "${DINO_LIBTORCH}/include/torch/csrc/api/include")
target_link_libraries(dino::libtorch INTERFACE "${DINO_LIBTORCH}/lib/libtorch_cpu.so" "${DINO_LIBTORCH}/lib/libc10.so")
# at::parallel_for, a template, runs its body on one thread when it is compiled without OpenMP. At run time LibTorch's own
# libgomp.so.1 serves both.
target_compile_options(dino::libtorch INTERFACE -fopenmp)
target_link_options(dino::libtorch INTERFACE -fopenmp)
# libtorch_cpu.so finds the CUDA run-time libraries it names by its own run path; the linker need not.
target_link_options(dino::libtorch INTERFACE LINKER:--allow-shlib-undefined)
