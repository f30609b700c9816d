# make install, and the CMake package `dino`: find_package(dino) gives dino::core and, where it was built, dino::dino;
# the component onnx adds dino::onnx.
include(CMakePackageConfigHelpers)
set(DINO_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/dino)

add_library(dino::core ALIAS dino_core)
set_target_properties(dino_core PROPERTIES EXPORT_NAME core)
install(TARGETS dino_core EXPORT dino_core_targets)
install(EXPORT dino_core_targets NAMESPACE dino:: DESTINATION ${DINO_PACKAGE_DIR})

add_library(dino::onnx ALIAS dino_onnx)
set_target_properties(dino_onnx PROPERTIES EXPORT_NAME onnx)
install(TARGETS dino_onnx EXPORT dino_onnx_targets)
install(EXPORT dino_onnx_targets NAMESPACE dino:: DESTINATION ${DINO_PACKAGE_DIR})
install(FILES cmake/libonnx.cmake DESTINATION ${DINO_PACKAGE_DIR})
install(DIRECTORY dino DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

if(DINO_TORCH)
  add_library(dino::dino ALIAS dino)
  install(TARGETS dino EXPORT dino_targets)
  install(EXPORT dino_targets NAMESPACE dino:: DESTINATION ${DINO_PACKAGE_DIR})
  set_target_properties(dino_torch dino_c PROPERTIES INSTALL_RPATH "${DINO_LIBTORCH}/lib")
  install(TARGETS dino_cli dino_c)
  install(TARGETS dino_torch DESTINATION ${CMAKE_INSTALL_LIBDIR}/dino)
  install(DIRECTORY recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/dino)
  install(FILES cmake/libtorch.cmake DESTINATION ${DINO_PACKAGE_DIR})
endif()

configure_package_config_file(cmake/dino-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/dino-config.cmake
                              INSTALL_DESTINATION ${DINO_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/dino-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dino-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/dino-config-version.cmake
        DESTINATION ${DINO_PACKAGE_DIR})
