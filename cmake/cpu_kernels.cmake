# dino/cpu/*_isa.cpp are compiled once per instruction set; dino/cpu/kernels.cpp picks one at run time.
file(GLOB DINO_CPU_SOURCES CONFIGURE_DEPENDS dino/cpu/*.cpp)
file(GLOB DINO_ISA_SOURCES CONFIGURE_DEPENDS dino/cpu/*_isa.cpp)
list(REMOVE_ITEM DINO_CPU_SOURCES ${DINO_ISA_SOURCES})

function(dino_cpu_kernels isa)
  add_library(dino_cpu_${isa} OBJECT ${DINO_ISA_SOURCES})
  target_include_directories(dino_cpu_${isa} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(dino_cpu_${isa} PRIVATE DINO_ISA=${isa})
  target_link_libraries(dino_cpu_${isa} PRIVATE dino_checks)
  # Vector arguments stay inside one file (psabi); square roots need no errno.
  target_compile_options(dino_cpu_${isa} PRIVATE -Wno-psabi -fno-math-errno ${ARGN})
  set(DINO_CPU_SOURCES ${DINO_CPU_SOURCES} $<TARGET_OBJECTS:dino_cpu_${isa}> PARENT_SCOPE)
endfunction()

if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/dino/cpu/kernels_isa.cpp)
  if(DINO_ARCH)
    set(baseline -march=${DINO_ARCH})
  endif()
  dino_cpu_kernels(baseline ${baseline})
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    dino_cpu_kernels(avx512 -march=x86-64-v4)
    dino_cpu_kernels(avx512_bf16 -march=x86-64-v4 -mavx512bf16 -mavx512vnni)
  endif()
endif()

# dino/image/pixels/avx512: pixel kernels for processors from Ice Lake and Zen 4 on; dino/image/pixels/kernels.cpp picks.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  file(GLOB DINO_IMAGE_AVX512 CONFIGURE_DEPENDS dino/image/pixels/avx512/*.cpp)
  add_library(dino_image_avx512 OBJECT ${DINO_IMAGE_AVX512})
  target_include_directories(dino_image_avx512 PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(dino_image_avx512 PRIVATE dino_checks)
  # GCC 12 takes the undefined registers of its own intrinsics for uninitialized variables.
  target_compile_options(dino_image_avx512 PRIVATE -march=x86-64-v4 -mavx512vnni -mavx512vbmi -ffp-contract=off
                         -Wno-psabi -Wno-uninitialized
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  list(APPEND DINO_CPU_SOURCES $<TARGET_OBJECTS:dino_image_avx512>)
endif()
