# dino_embed(TARGET FILE NAME): the bytes of FILE become `extern const std::string_view NAME` in namespace dino::assets.
# dino_embed(TARGET FOLDER NAME): those of all .toml files in and below it `extern const std::span<const Entry> NAME`, sorted,
# where Entry is std::pair<std::string_view, std::string_view>: the path without its extension, and the bytes.
function(dino_embed target source name)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/assets/${name}.cpp)
  set(files ${source})
  if(IS_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/${source})
    file(GLOB_RECURSE files CONFIGURE_DEPENDS ${source}/*.toml)
  endif()
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_CURRENT_SOURCE_DIR}/${source} -DOUTPUT=${output} -DNAME=${name}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_one.cmake
    DEPENDS ${files} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_one.cmake VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
