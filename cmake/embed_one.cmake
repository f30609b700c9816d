# Called by dino_embed at build time: writes INPUT's bytes, or those of each .toml file in the folder INPUT, into OUTPUT as C++
# byte arrays.
function(byte_array file array)  # `array` receives its definition, `array`_length the number of bytes
  file(READ "${file}" hex HEX)
  string(LENGTH "${hex}" length)
  math(EXPR length "${length} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(REGEX REPLACE "((...... ?,?)?[^,]+,[^,]+,[^,]+,[^,]+,[^,]+,[^,]+,[^,]+,[^,]+,)" "\\1\n" bytes "${bytes}")
  set(${array} "static constexpr char ${array}[] = {${bytes}'\\0'};\n" PARENT_SCOPE)
  set(${array}_length ${length} PARENT_SCOPE)
endfunction()

set(text "// Generated from ${INPUT}.\n#include <span>\n#include <string_view>\n#include <utility>\nnamespace dino::assets {\n")
if(IS_DIRECTORY "${INPUT}")
  file(GLOB_RECURSE files RELATIVE "${INPUT}" "${INPUT}/*.toml")
  list(SORT files)
  foreach(file ${files})
    string(REGEX REPLACE "\\.toml$" "" stem "${file}")
    string(MAKE_C_IDENTIFIER "${stem}" id)
    byte_array("${INPUT}/${file}" ${id})
    string(APPEND text "${${id}}")
    string(APPEND entries "  {\"${stem}\", {${id}, ${${id}_length}}},\n")
  endforeach()
  string(APPEND text "using Entry = std::pair<std::string_view, std::string_view>;\n"
    "static constexpr Entry kEntries[] = {\n${entries}};\n"
    "extern const std::span<const Entry> ${NAME};\nconst std::span<const Entry> ${NAME}(kEntries);\n")
else()
  byte_array("${INPUT}" kBytes)
  string(APPEND text "${kBytes}extern const std::string_view ${NAME};\n"
    "const std::string_view ${NAME}(kBytes, ${kBytes_length});\n")
endif()
file(WRITE "${OUTPUT}" "${text}}  // namespace dino::assets\n")
