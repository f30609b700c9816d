# Flags shared by every target of this project (never by its users): warnings, one baseline instruction set (dino/cpu adds
# faster ones at run time), sanitizers, ccache.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(DINO_ARCH_DEFAULT "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(DINO_ARCH_DEFAULT "x86-64-v3")
endif()
set(DINO_ARCH "${DINO_ARCH_DEFAULT}" CACHE STRING "Baseline -march of the build")

# dino_checks: warnings and sanitizers; dino_options: these and the baseline instruction set.
add_library(dino_checks INTERFACE)
target_compile_options(dino_checks INTERFACE -Wall -Wextra -Wshadow -Wconversion $<$<BOOL:${DINO_WERROR}>:-Werror>)
add_library(dino_options INTERFACE)
target_link_libraries(dino_options INTERFACE dino_checks)
if(DINO_ARCH)
  target_compile_options(dino_options INTERFACE -march=${DINO_ARCH})
endif()

# Tells an older processor's level before anything of the baseline runs: see cli/processor_check.cpp.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set_source_files_properties(dino/cpu/processor_level.cpp PROPERTIES COMPILE_OPTIONS -march=x86-64)
endif()
# dino_needs_level(TARGET): a shared library that is refused by the system's loader, which says so, where its level is missing.
include(CheckLinkerFlag)
function(dino_needs_level target)
  if(DINO_ARCH MATCHES "^x86-64-v[234]$")
    check_linker_flag(CXX LINKER:-z,${DINO_ARCH} DINO_LINKER_KNOWS_LEVELS)
    if(DINO_LINKER_KNOWS_LEVELS)
      target_link_options(${target} PRIVATE LINKER:-z,${DINO_ARCH})
    endif()
  endif()
endfunction()
if(DINO_SANITIZE)
  # With sanitizers the compiler loses track of what is initialized, and warns of what is.
  target_compile_options(dino_checks INTERFACE -fsanitize=${DINO_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
                                               $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(dino_checks INTERFACE -fsanitize=${DINO_SANITIZE})
endif()

# dino_unity(TARGET BATCH): its sources are compiled BATCH at a time, which spares reading LibTorch's headers (10 s) for each. Names in
# their anonymous namespaces must differ, then. No precompiled header: each use of one with LibTorch in it costs 8 s, and ccache
# finds nothing of another checkout behind it.
function(dino_unity target batch)
  if(DINO_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch})
    # The compiler takes what a source defines for itself for what a header would define.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # The base folder lets checkouts share.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=time_macros,include_file_mtime,include_file_ctime
      CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_CURRENT_SOURCE_DIR} ${CCACHE_PROGRAM})
endif()
