# LibTorch as scripts/setup unpacks it (.deps/) or as DINO_LIBTORCH points to it: a folder with
# include/ and lib/libtorch_cpu.so. TorchConfig.cmake is not used: it demands a CUDA toolkit.
set(DINO_LIBTORCH "$ENV{DINO_LIBTORCH}" CACHE PATH "LibTorch folder (include/, lib/)")
if(NOT DINO_LIBTORCH)
  set(DINO_LIBTORCH "${CMAKE_CURRENT_SOURCE_DIR}/.deps/torch")
endif()
if(NOT EXISTS "${DINO_LIBTORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch not found in '${DINO_LIBTORCH}'. Run scripts/setup, or set DINO_LIBTORCH "
                      "to a folder that holds include/ and lib/libtorch_cpu.so.")
endif()
# The wheel's libtorch_cpu.so wants libcudart and libcupti beside it; scripts/setup puts them there.
get_filename_component(DINO_LIBTORCH_PARENT "${DINO_LIBTORCH}" DIRECTORY)
set(DINO_CUDA_RUNTIME "${DINO_LIBTORCH_PARENT}/nvidia/cu13/lib" CACHE PATH "Folder of libcudart.so.13")

add_library(dino_torch INTERFACE)
target_include_directories(dino_torch SYSTEM INTERFACE
  $<BUILD_INTERFACE:${DINO_LIBTORCH}/include>
  $<BUILD_INTERFACE:${DINO_LIBTORCH}/include/torch/csrc/api/include>)
target_link_libraries(dino_torch INTERFACE ${DINO_LIBTORCH}/lib/libtorch_cpu.so ${DINO_LIBTORCH}/lib/libc10.so)
target_link_options(dino_torch INTERFACE -Wl,--disable-new-dtags -Wl,-rpath,${DINO_LIBTORCH}/lib
                    -Wl,-rpath,${DINO_CUDA_RUNTIME} -Wl,-rpath-link,${DINO_CUDA_RUNTIME} -Wl,--allow-shlib-undefined)
