// [backbone] against the published architectures and the papers' rules.
#include <gtest/gtest.h>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "dino/recipe/recipe.h"

namespace dino::recipe {
namespace {

arch::Architecture made(const std::string& backbone, const std::string& rest = "") {
  return architecture_of(parse_recipe("[backbone]\n" + backbone + "\n" + rest, "test.toml", "."));
}

std::string refusal(const std::string& backbone, const std::string& rest = "") {
  try {
    made(backbone, rest);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(RecipeBackbone, EveryPublishedBackboneCanBeNamed) {
  for (const auto& entry : arch::zoo()) {
    arch::Architecture expected = entry.network.architecture;
    expected.image_size = 448;  // the position table is made for the global crops
    EXPECT_EQ(made("arch = \"" + entry.name + "\"", "[crops]\nglobal_size = 448\nlocal_size = 224"),
              expected)
        << entry.name;
  }
}

TEST(RecipeBackbone, PlainVitsAreThoseOfTheFirstPaper) {
  arch::Architecture expected = arch::zoo_entry("dino_vits16").network.architecture;
  expected.name.clear();
  EXPECT_EQ(made("arch = \"vit_small\""), expected);
  EXPECT_EQ(made("arch = \"vit_large\"").vit.hidden, 4096);
}

TEST(RecipeBackbone, ItsNumbersChangeAPublishedOne) {
  const auto a = made("arch = \"dinov3_vits16\"\ndim = 192\ndepth = 4\nheads = 3\nregisters = 2");
  EXPECT_EQ(a.name, "") << "no longer the published one";
  EXPECT_EQ(a.vit.dim, 192);
  EXPECT_EQ(a.vit.hidden, 768);
  EXPECT_EQ(a.vit.depth, 4);
  EXPECT_EQ(a.vit.registers, 2);
  EXPECT_EQ(a.vit.positions, arch::Positions::Rope);
  EXPECT_TRUE(a.vit.layer_scale);
}

TEST(RecipeBackbone, GatedWidthsFollowThePapersRule) {
  // DINOv2's giant: ceil(2/3 * 4 * 1536 / 8) * 8; its large of the table in the paper: 2736.
  const std::string sizes = "[crops]\nglobal_size = 224\nlocal_size = 98";
  EXPECT_EQ(made("arch = \"dinov2_vitg14\"", sizes).vit.hidden, 4096);
  EXPECT_EQ(
      made("arch = \"dinov2_vitg14\"\ndim = 1024\nheads = 16\nmlp_ratio = 4", sizes).vit.hidden,
      2736);
  EXPECT_EQ(made("arch = \"dinov3_vits16plus\"\nmlp_ratio = 6").vit.hidden, 1536);
}

TEST(RecipeBackbone, RefusesWhatCannotBe) {
  EXPECT_NE(refusal("arch = \"dinov3_vits61\"").find("dinov3_vits16"), std::string::npos);
  EXPECT_NE(refusal("arch = \"resnet50\"\ndim = 64").find("backbone.dim"), std::string::npos);
  EXPECT_NE(refusal("arch = \"vit\"\ndim = 64").find("backbone.depth"), std::string::npos);
  EXPECT_NE(refusal("arch = \"vit_small\"\nheads = 5").find("backbone.heads"), std::string::npos);
  EXPECT_NE(refusal("arch = \"dinov3_vits16\"\ndim = 60\nheads = 6").find("rotary"),
            std::string::npos);
  EXPECT_NE(refusal("arch = \"dinov3_vits16\"\nrope_rescale = 0.5").find("at least 1"),
            std::string::npos);
  EXPECT_NE(refusal("arch = \"dinov2_vits14\"").find("patch size 14"), std::string::npos)
      << "local crops of 96 px are no multiple of 14";
}

}  // namespace
}  // namespace dino::recipe
