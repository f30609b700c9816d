# dino_embed(TARGET FILE NAME): the bytes of FILE become `extern const std::string_view NAME` in namespace dino::assets.
function(dino_embed target file name)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/assets/${name}.cpp)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_CURRENT_SOURCE_DIR}/${file} -DOUTPUT=${output} -DNAME=${name}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_one.cmake
    DEPENDS ${file} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_one.cmake VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
