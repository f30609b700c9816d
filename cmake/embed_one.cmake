# Called by dino_embed at build time: writes INPUT's bytes into OUTPUT as a C++ byte array.
file(READ "${INPUT}" hex HEX)
string(LENGTH "${hex}" length)
math(EXPR length "${length} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
string(REGEX REPLACE "((...... ?,?)?[^,]+,[^,]+,[^,]+,[^,]+,[^,]+,[^,]+,[^,]+,[^,]+,)" "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}" "// Generated from ${INPUT}.\n#include <string_view>\nnamespace dino::assets {\n"
  "static const char kBytes[] = {${bytes}'\\0'};\nextern const std::string_view ${NAME};\n"
  "const std::string_view ${NAME}(kBytes, ${length});\n}  // namespace dino::assets\n")
