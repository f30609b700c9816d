#pragma once
#include <string>
#include <string_view>

namespace dino::cli {

/** The message when memory runs out, with what helps; `detail` says more, or is empty. */
std::string out_of_memory_text(std::string_view detail);

}  // namespace dino::cli
