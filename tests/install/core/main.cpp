// What is there without Torch: images, recipes, the zoo, ONNX files.
#include <fmt/format.h>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/codecs/encode.h"
#include "dino/onnx/file.h"
#include "dino/recipe/recipe.h"

int main() {
  dino::image::write_png("picture.png", dino::image::Image(40, 30, 3));
  const auto picture = dino::image::decode_file("picture.png", 3);
  const auto recipe = dino::recipe::parse_recipe("name = \"consumer\"", "here", ".");
  fmt::print("{}: {} x {} pixels, {} networks\n", recipe.name, picture.width, picture.height,
             dino::arch::zoo().size());
  try {
    dino::onnx::read("none.onnx");
  } catch (const dino::Error& error) {
    fmt::print("{}\n", error.what());
    return picture.width == 40 ? 0 : 1;
  }
  return 1;
}
