# dino/cpu/*_isa.cpp are compiled once per instruction set; dino/cpu/kernels.cpp picks one at run time.
file(GLOB DINO_CPU_SOURCES CONFIGURE_DEPENDS dino/cpu/*.cpp)
file(GLOB DINO_ISA_SOURCES CONFIGURE_DEPENDS dino/cpu/*_isa.cpp)
list(REMOVE_ITEM DINO_CPU_SOURCES ${DINO_ISA_SOURCES})

function(dino_cpu_kernels isa)
  add_library(dino_cpu_${isa} OBJECT ${DINO_ISA_SOURCES})
  target_include_directories(dino_cpu_${isa} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(dino_cpu_${isa} PRIVATE DINO_ISA=${isa})
  target_link_libraries(dino_cpu_${isa} PRIVATE dino_options)
  # Vector arguments stay inside one file (psabi); square roots need no errno.
  target_compile_options(dino_cpu_${isa} PRIVATE -Wno-psabi -fno-math-errno ${ARGN})
  set(DINO_CPU_SOURCES ${DINO_CPU_SOURCES} $<TARGET_OBJECTS:dino_cpu_${isa}> PARENT_SCOPE)
endfunction()

if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/dino/cpu/kernels_isa.cpp)
  dino_cpu_kernels(baseline)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    dino_cpu_kernels(avx512 -march=x86-64-v4)
    dino_cpu_kernels(avx512_bf16 -march=x86-64-v4 -mavx512bf16)
  endif()
endif()
