// Recipes: round trip, extends, overrides, and the text of every kind of refusal.
#include "dino/recipe/recipe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dino/base/error.h"
#include "dino/recipe/recipe_fields.h"

namespace dino::recipe {
namespace {

namespace fs = std::filesystem;

Recipe parse(std::string_view toml, std::vector<std::string> overrides = {}) {
  return parse_recipe(toml, "test.toml", ".", overrides);
}

/** The message of the error that `toml` causes; empty if none. */
std::string refusal(std::string_view toml, std::vector<std::string> overrides = {}) {
  try {
    parse(toml, std::move(overrides));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    return error.what();
  }
  return "";
}

class RecipeFolder : public testing::Test {
 protected:
  RecipeFolder()
      : folder_(fs::temp_directory_path() / ("dino_recipe_" + std::to_string(getpid()))) {
    fs::create_directories(folder_ / "sub");
  }
  ~RecipeFolder() override { fs::remove_all(folder_); }
  fs::path write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  fs::path folder_;
};

TEST(Recipe, EmptyTextGivesThePaperDefaults) {
  const Recipe recipe = parse("");
  EXPECT_EQ(recipe, Recipe{});
  EXPECT_EQ(recipe.head.prototypes, 65536);
  EXPECT_EQ(recipe.crops.local_count, 8);
}

TEST(Recipe, ReadsEverySection) {
  const Recipe recipe = parse(R"(
    name = "a"
    seed = 7
    objectives = ["dino"]
    data = { train = "images", channels = 1 }
    [crops]
    global_scale = [0.5, 1]
    mean = [0.3]
    std = [0.2]
    [backbone]
    arch = "vit_tiny"
    [optim]
    lr = 1
    [knn]
    center = true
  )");
  EXPECT_EQ(recipe.name, "a");
  EXPECT_EQ(recipe.seed, 7u);
  EXPECT_EQ(recipe.data.train, "images");
  EXPECT_EQ(recipe.data.channels, 1);
  EXPECT_EQ(recipe.crops.global_scale, (std::array<double, 2>{0.5, 1.0}));
  EXPECT_EQ(recipe.crops.mean, std::vector<double>{0.3});
  EXPECT_EQ(recipe.backbone.arch, "vit_tiny");
  EXPECT_EQ(recipe.optim.lr, 1.0);
  EXPECT_TRUE(recipe.knn.center);
}

/** Changes every member to another allowed value, so that a member the writer or reader forgets
 * shows. */
struct Change {
  void operator()(std::string_view, bool& value, const auto&) const { value = !value; }
  void operator()(std::string_view, double& value, const Range& range) const {
    const double nudged = value * 0.9 + 0.012345678901234567;
    if (range.contains(nudged)) value = nudged;
  }
  template <std::integral T>
  void operator()(std::string_view, T& value, const auto&) const {
    value = static_cast<T>(value + 1);
  }
  void operator()(std::string_view, std::string& value, const Anything&) const {
    value += "a \"quoted\" \\ path\n\x7f é";
  }
  void operator()(std::string_view, std::string& value, const OneOfWords& words) const {
    value = words.values.back();
  }
  void operator()(std::string_view, std::vector<std::string>&, const OneOfWords&) const {}
  void operator()(std::string_view, std::vector<std::string>& value, const Anything&) const {
    value = {"left.png", "a, b"};
  }
  void operator()(std::string_view, std::vector<double>& value, const Anything&) const {
    value = {-0.012345678901234567, 4095};
  }
  void operator()(std::string_view, std::vector<DataSource>& value, const Anything&) const {
    value = {{"folder \"a\", b = c", 0.1}, {"shards/{000..123}.tar", 3}};
  }
  template <detail::List T>
  void operator()(std::string_view key, T& values, const Range& range) const {
    for (auto& value : values) (*this)(key, value, range);
  }
};

TEST(Recipe, WritesAndReadsBackEveryKeyExactly) {
  Recipe recipe;
  visit_fields(recipe, Change{});
  visit_sections(recipe, [](auto&&, auto& section) { visit_fields(section, Change{}); });
  recipe.mixes = {
      .probability = {0.25, 0.75}, .global_size = {9, 10}, .local_size = {5, 6}, .gram_size = {}};
  recipe.data.train = "";  // data.sources name the images
  recipe.data.limit = 0;
  recipe.data.channels = 3;
  recipe.data.batch_type = "bf16";
  recipe.backbone.arch = "vit";  // of patch size 1, which divides all crops
  recipe.backbone.mlp_ratio = 3.0625;
  recipe.backbone.rope_jitter = 1.5;
  recipe.backbone.rope_rescale = 2.5;
  recipe.train.batch_size = 66;
  recipe.train.accumulate = 2;
  recipe.knn.resize = 300;
  recipe.knn.fit = "center_crop";  // the only one with a resize before
  const std::string text = to_toml(recipe);
  EXPECT_EQ(parse(text), recipe) << text;
  EXPECT_EQ(to_toml(parse(text)), text);

  const Recipe defaults;
  EXPECT_NE(recipe.crops, defaults.crops);
  EXPECT_EQ(parse(to_toml(defaults)), defaults);
}

TEST(Recipe, OverridesTakeTomlValuesAndBareWords) {
  const Recipe recipe =
      parse("[optim]\nlr = 1e-3",
            {"optim.lr=2e-3", "backbone.arch=vit_tiny", "data.train=/data/2024 holidays/a=b#c",
             "name=2024", "crops.global_scale=[0.25, 1.0]", "seed=9", "knn.center=true",
             "description=\"a # b\""});
  EXPECT_EQ(recipe.optim.lr, 2e-3);
  EXPECT_EQ(recipe.backbone.arch, "vit_tiny");
  EXPECT_EQ(recipe.data.train, "/data/2024 holidays/a=b#c");
  EXPECT_EQ(recipe.name, "2024");
  EXPECT_EQ(recipe.crops.global_scale[0], 0.25);
  EXPECT_EQ(recipe.seed, 9u);
  EXPECT_TRUE(recipe.knn.center);
  EXPECT_EQ(recipe.description, "a # b");
  EXPECT_EQ(parse("", {"data.train="}).data.train, "");
  EXPECT_EQ(parse("", {"name=1\nseed = 5"}).name, "1\nseed = 5") << "a value is one value";
}

TEST(Recipe, NamesTheNearestKey) {
  EXPECT_EQ(refusal("\n[optim]\nlrr = 1.0"),
            "[recipe] test.toml:3: unknown key 'optim.lrr'; did you mean 'optim.lr'?");
  EXPECT_EQ(refusal("[train]\nlr = 1.0"),
            "[recipe] test.toml:2: unknown key 'train.lr'; did you mean 'optim.lr'?");
  EXPECT_EQ(refusal("batch_size = 8"),
            "[recipe] test.toml:1: unknown key 'batch_size'; did you mean 'train.batch_size'?");
  EXPECT_EQ(refusal("[optimm]\nlr = 1.0"),
            "[recipe] test.toml:1: unknown key 'optimm'; did you mean 'optim'?");
  EXPECT_EQ(refusal("", {"optim.lrr=1"}),
            "[recipe] --set optim.lrr=1: unknown key 'optim.lrr'; did you mean 'optim.lr'?");
  EXPECT_EQ(refusal("zzzzzzzzzzzz = 1"),
            "[recipe] test.toml:1: unknown key 'zzzzzzzzzzzz'; see docs/recipes.md for the keys "
            "there are");
}

TEST(Recipe, TypeErrorsNameKeyValueAndExpectedType) {
  EXPECT_EQ(refusal("[optim]\nlr = \"fast\""),
            "[recipe] test.toml:2: optim.lr = 'fast' has the wrong type; expected a number");
  EXPECT_EQ(refusal("[head]\nlayers = 2.5"),
            "[recipe] test.toml:2: head.layers = 2.5 has the wrong type; expected an integer from "
            "-2147483648 to 2147483647");
  EXPECT_EQ(refusal("[crops]\nglobal_scale = [0.1, 0.2, 0.3]"),
            "[recipe] test.toml:2: crops.global_scale = [0.1, 0.2, 0.3] has the wrong type; "
            "expected a list "
            "of 2 numbers");
  EXPECT_EQ(refusal("seed = -1"),
            "[recipe] test.toml:1: seed = -1 has the wrong type; expected an integer from 0 to "
            "9223372036854775807");
  EXPECT_EQ(refusal("optim = 3"),
            "[recipe] test.toml:1: optim = 3 has the wrong type; expected a section: [optim]");
  EXPECT_EQ(refusal("", {"knn.center=maybe"}),
            "[recipe] --set knn.center=maybe: knn.center = 'maybe' has the wrong type; expected "
            "true or false");
  EXPECT_NE(refusal("[head]\nprototypes = 99999999999"), "");
  EXPECT_NE(refusal("name = 3"), "") << "in a file, strings are quoted";
  EXPECT_NE(refusal("[data]\ntrain = 1979-05-27"), "");
}

TEST(Recipe, RefusesTextThatIsNoToml) {
  EXPECT_EQ(refusal("[optim\nlr = 1").substr(0, 42), "[recipe] test.toml:1:7: not valid TOML: Er");
  EXPECT_NE(refusal(std::string_view("\0\0\0", 3)), "");
  EXPECT_NE(refusal("name = \"\xff\xfe\""), "");
  EXPECT_EQ(refusal("", {"lr"}),
            "[recipe] --set lr: expected key=value, for example optim.lr=2e-3");
}

TEST(Recipe, SeveralSourcesWithWeights) {
  const Recipe recipe = parse(
      "[[data.sources]]\npath = \"a\"\nweight = 2\n"
      "[[data.sources]]\npath = \"b\"\nweight = 0.5\n");
  ASSERT_EQ(recipe.data.sources.size(), 2u);
  EXPECT_EQ(recipe.data.sources[0], (DataSource{"a", 2}));
  EXPECT_EQ(recipe.data.sources[1], (DataSource{"b", 0.5}));
  EXPECT_EQ(parse("data.sources = [\"a\", {path = \"b\"}]").data.sources,
            (std::vector<DataSource>{{"a", 0}, {"b", 0}}));
  EXPECT_EQ(parse("", {"data.sources=[\"a\", \"b\"]"}).data.sources.size(), 2u);
}

TEST(Recipe, SourcesThatContradictEachOther) {
  const auto names = [](const std::string& text, std::string_view one, std::string_view other) {
    EXPECT_NE(text.find(one), std::string::npos) << text;
    EXPECT_NE(text.find(other), std::string::npos) << text;
  };
  names(refusal("data.sources = [\"a\", {path = \"b\", weight = 1}]"), "data.sources",
        "all of them");
  names(refusal("data.train = \"a\"\ndata.sources = [\"b\"]"), "data.train", "once");
  names(refusal("data.sources = [{path = \"b\", weight = 1}]\ndata.limit = 5"), "data.limit",
        "weights");
  for (const char* wrong : {"1", "[1]", "[{weight = 1}]", "[{path = 1}]",
                            "[{path = \"a\", weight = 0}]", "[{path = \"a\", weight = -1}]",
                            "[{path = \"a\", size = 1}]", "[{path = \"a\", weight = \"2\"}]"})
    names(refusal(std::string("data.sources = ") + wrong), "data.sources", "wrong type");
  names(refusal("data.sources = [\"\"]"), "data.sources", "empty");
}

/** One value outside the range of a member, where there is one. */
struct Spoil {
  bool operator()(auto&, const Anything&) const { return false; }
  bool operator()(std::string& value, const OneOfWords&) const {
    return value = "no such word", true;
  }
  bool operator()(std::vector<std::string>& value, const OneOfWords&) const {
    return value = {"bert"}, true;
  }
  bool operator()(std::uint64_t& value, const Range&) const {
    return value = ~std::uint64_t{0}, true;
  }
  template <typename T>
  requires std::is_arithmetic_v<T>
  bool operator()(T& value, const Range& range) const {
    value = range.open_low ? static_cast<T>(range.low) : static_cast<T>(range.low - 1);
    return true;
  }
  template <detail::List T>
  bool operator()(T& values, const Range& range) const {
    if constexpr (requires { values.resize(1); })
      if (values.empty()) values.resize(1);
    return (*this)(values.back(), range);
  }
};

TEST(Recipe, RefusesEveryKeyOutsideItsRange) {
  int spoiled = 0;
  const auto spoil_each = [&](auto pick, const std::string& section) {
    int keys = 0;
    Recipe counted;
    visit_fields(pick(counted), [&](auto&&...) { ++keys; });
    for (int target = 0; target < keys; ++target) {
      Recipe recipe;
      std::string name;
      int i = 0;
      visit_fields(pick(recipe), [&](const char* key, auto& value, const auto& allowed) {
        if (i++ == target && Spoil{}(value, allowed)) name = section + key;
      });
      if (name.empty()) continue;
      ++spoiled;
      try {
        validate(recipe);
        ADD_FAILURE() << name << " was accepted";
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("] " + name + " = "), std::string::npos)
            << error.what();
        EXPECT_NE(std::string(error.what()).find("allowed: "), std::string::npos) << error.what();
      }
    }
  };
  spoil_each([](Recipe& r) -> Recipe& { return r; }, "");
  spoil_each(
      [](Recipe & r) -> auto& { return r.data; }, "data.");
  spoil_each(
      [](Recipe & r) -> auto& { return r.crops; }, "crops.");
  spoil_each(
      [](Recipe & r) -> auto& { return r.backbone; }, "backbone.");
  spoil_each(
      [](Recipe & r) -> auto& { return r.head; }, "head.");
  spoil_each(
      [](Recipe & r) -> auto& { return r.dino; }, "dino.");
  spoil_each(
      [](Recipe & r) -> auto& { return r.optim; }, "optim.");
  spoil_each(
      [](Recipe & r) -> auto& { return r.train; }, "train.");
  spoil_each(
      [](Recipe & r) -> auto& { return r.knn; }, "knn.");
  EXPECT_GT(spoiled, 60);
}

TEST(Recipe, RangeErrorsSayWhatIsAllowed) {
  EXPECT_EQ(refusal("[optim]\nlr = -1"),
            "[recipe] optim.lr = -1 is out of range; allowed: above 0 and at most 100 (test.toml)");
  EXPECT_EQ(refusal("[crops]\njitter = 1.5"),
            "[recipe] crops.jitter = 1.5 is out of range; allowed: 0 to 1 (test.toml)");
  EXPECT_EQ(refusal("[backbone]\ndrop_path = 1"),
            "[recipe] backbone.drop_path = 1 is out of range; allowed: at least 0 and below 1 "
            "(test.toml)");
  EXPECT_EQ(refusal("[optim]\noptimizer = \"adam\""),
            "[recipe] optim.optimizer = adam is not known; allowed: adamw, sgd, lars (test.toml)");
  EXPECT_EQ(refusal("[data]\nchannels = 0"),
            "[recipe] data.channels = 0 is out of range; allowed: 1 to 1024 (test.toml)");
  EXPECT_NE(refusal("[optim]\nlr = nan"), "");
  EXPECT_NE(refusal("[train]\nsave_minutes = inf"), "");
}

TEST(Recipe, TheValueRangeIsTwoNumbersInOrder) {
  EXPECT_EQ(refusal("[data]\nvalue_range = [0, 4095]"), "");
  EXPECT_EQ(refusal("[data]\nvalue_range = [-0.5, 1.5]"), "");
  EXPECT_EQ(refusal("[data]\nvalue_range = []"), "");
  EXPECT_EQ(refusal("[data]\nvalue_range = [5, 5]"),
            "[recipe] data.value_range = [5, 5] must be the values of black and white, the low one "
            "first, such as [0, 4095], or empty (test.toml)");
  for (const char* wrong : {"[1]", "[0, 1, 2]", "[1, 0]", "[0, nan]", "[-inf, 0]", "4095"})
    EXPECT_NE(refusal(std::string("[data]\nvalue_range = ") + wrong), "") << wrong;
}

TEST(Recipe, ManyChannelsNeedTheFullRange) {
  EXPECT_EQ(refusal("[data]\nchannels = 2"),
            "[recipe] data.channels = 2 needs data.full_range = true; 8-bit crops have 1 or 3 "
            "(test.toml)");
  EXPECT_EQ(refusal("[data]\nchannels = 2\nfull_range = true\n[crops]\nmean = [0.5, -3]\n"
                    "std = [200.0, 1]"),
            "");
  EXPECT_NE(refusal("[data]\nfull_range = true\nbatch_type = \"uint8\""), "");
  EXPECT_NE(refusal("[data]\nbackground = [1, 2]"), "");
}

TEST(Recipe, ObjectivesSayWhatTheyNeed) {
  const std::string masks = "[masks]\nshare = 0.5\n";
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(refusal("objectives = ['dino', 'ibot']"), "masks.share"));
  EXPECT_TRUE(has(refusal("objectives = ['ibot']\n" + masks), "dino"));
  EXPECT_TRUE(has(refusal("objectives = ['ibot', 'dino']\n" + masks), "name dino first"));
  EXPECT_TRUE(has(refusal("objectives = ['dino', 'ibot']\n[backbone]\narch = 'resnet50'\n" + masks),
                  "resnet50"));
  EXPECT_EQ(refusal("objectives = ['dino', 'ibot', 'spread']\n" + masks), "");
  EXPECT_TRUE(has(refusal("objectives = ['gram']"), "dino"));
  EXPECT_TRUE(has(refusal("objectives = ['dino', 'gram']\n[gram]\nfrom = 'ema'\n"
                          "[crops]\ngram_size = 448"),
                  "gram_size"));
  EXPECT_TRUE(has(refusal("objectives = ['dino', 'gram']\n[gram]\ntokens = 'masked'"), "masks"));
  EXPECT_TRUE(
      has(refusal("objectives = ['dino', 'gram']\n[gram]\ncopy_epochs = 3"), "start_epochs"));
  EXPECT_EQ(refusal("objectives = ['dino', 'gram']"), "");
}

TEST(Recipe, MasksGiveTheNetworkAMaskToken) {
  EXPECT_FALSE(architecture_of(parse("")).vit.mask_token);
  EXPECT_TRUE(architecture_of(parse("[masks]\nshare = 0.5")).vit.mask_token);
}

TEST(Recipe, TheFeedForwardNetworkCanBeChosen) {
  const auto large =
      architecture_of(parse("[backbone]\npatch_size = 16\narch = 'dinov2_vitl14'\nffn = 'swiglu'"));
  EXPECT_EQ(large.vit.ffn, arch::Ffn::SwiGlu);
  EXPECT_EQ(large.vit.hidden, 2736);  // DINOv2's ViT-L, as it was trained from scratch
  const auto giant =
      architecture_of(parse("[backbone]\npatch_size = 16\narch = 'dinov2_vitg14'\nffn = 'mlp'"));
  EXPECT_EQ(giant.vit.hidden, 6144);
  EXPECT_EQ(
      architecture_of(parse("[backbone]\npatch_size = 16\narch = 'dinov2_vitg14'\nffn = 'swiglu'"))
          .vit.hidden,
      4096);
  EXPECT_NE(refusal("[backbone]\narch = 'resnet50'\nffn = 'mlp'"), "");
}

TEST(Recipe, ContradictionsNameBothKeys) {
  const auto names = [](const std::string& message, const char* a, const char* b) {
    EXPECT_NE(message.find(a), std::string::npos) << message;
    EXPECT_NE(message.find(b), std::string::npos) << message;
  };
  EXPECT_EQ(refusal("[backbone]\npatch_size = 15"),
            "[recipe] crops.global_size = 224 is not a multiple of the backbone's patch size 15; "
            "change one of the two "
            "(test.toml)");
  names(refusal("[crops]\nlocal_size = 100"), "crops.local_size = 100", "patch size 16");
  names(refusal("[knn]\nimage_size = 100"), "knn.image_size = 100", "patch size 16");
  EXPECT_EQ(refusal("[crops]\nlocal_size = 100\nlocal_count = 0"), "")
      << "no local crops, no conflict";
  EXPECT_EQ(refusal("[crops]\nglobal_size = 225\n[backbone]\narch = \"resnet50\""), "");
  names(refusal("[backbone]\narch = \"vit\"\ndim = 64"), "backbone.arch", "backbone.depth");
  names(refusal("[backbone]\ndim = 100\nheads = 3"), "backbone.dim = 100", "backbone.heads = 3");
  names(refusal("[data]\nchannels = 1"), "crops.mean", "data.channels = 1");
  names(refusal("[crops]\nlocal_scale = [0.4, 0.2]"), "crops.local_scale", "0.4");
  names(refusal("[train]\nbatch_size = 10\naccumulate = 4"), "train.batch_size = 10",
        "train.accumulate = 4");
  names(refusal("[train]\nepochs = 5"), "optim.warmup_epochs = 10", "train.epochs = 5");
  names(refusal("[dino]\nwarmup_teacher_temperature_epochs = 200"), "dino.warmup_teacher",
        "train.epochs");
  names(refusal("[knn]\ntest = \"x\""), "knn.test", "knn.train");
  names(refusal("[knn]\nresize = 100"), "knn.resize = 100", "crops.global_size");
  names(refusal("objectives = []"), "objectives", "dino");
  names(refusal("", {"data.train=\xff\xfe"}), "data.train", "UTF-8");
}

TEST_F(RecipeFolder, ExtendsLaysOneFileOverAnother) {
  write("base.toml", "name = \"base\"\n[optim]\nlr = 3e-3\nmin_lr = 1e-5\n");
  const fs::path child =
      write("sub/child.toml", "extends = \"../base.toml\"\n[optim]\nlr = 4e-3\n");
  const fs::path grandchild = write("leaf.toml", "extends = \"sub/child.toml\"\nname = \"leaf\"\n");
  const Recipe recipe = load_recipe(child);
  EXPECT_EQ(recipe.name, "base");
  EXPECT_EQ(recipe.optim.lr, 4e-3);
  EXPECT_EQ(recipe.optim.min_lr, 1e-5);
  EXPECT_EQ(load_recipe(grandchild).name, "leaf");
  EXPECT_EQ(load_recipe(grandchild).optim.lr, 4e-3);
  const std::string toml = to_toml(recipe);
  EXPECT_EQ(toml.find("extends"), std::string::npos) << "the resolved recipe stands alone";
}

TEST_F(RecipeFolder, MistakesInABaseNameTheBase) {
  write("base.toml", "[optim]\nlrr = 3e-3\n");
  const fs::path child = write("child.toml", "extends = \"base.toml\"\n");
  try {
    load_recipe(child);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("base.toml:2"), std::string::npos) << error.what();
  }
}

TEST_F(RecipeFolder, MissingFilesAndCirclesAreErrors) {
  try {
    load_recipe(folder_ / "missing.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Io);
    EXPECT_NE(std::string(error.what()).find("missing.toml"), std::string::npos) << error.what();
  }
  EXPECT_THROW(load_recipe(write("orphan.toml", "extends = \"missing.toml\"")), Error);
  EXPECT_THROW(load_recipe(write("typed.toml", "extends = 3")), Error);
  write("a.toml", "extends = \"b.toml\"");
  try {
    load_recipe(write("b.toml", "extends = \"a.toml\""));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("circle"), std::string::npos) << error.what();
  }
}

TEST(RecipeFiles, EveryRecipeOfTheRepositoryLoads) {
  int count = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(DINO_SOURCE_DIR) / "recipes")) {
    if (entry.path().extension() != ".toml") continue;
    SCOPED_TRACE(entry.path());
    Recipe recipe;
    ASSERT_NO_THROW(recipe = load_recipe(entry.path()));
    EXPECT_EQ(recipe.name, entry.path().stem()) << "name and file agree";
    EXPECT_FALSE(recipe.description.empty());
    EXPECT_EQ(parse(to_toml(recipe)), recipe);
    ++count;
  }
  EXPECT_GE(count, 11);
}

TEST(RecipeFiles, CropsAreThoseOfTheReferences) {
  const auto load = [](const char* name) {
    return load_recipe(fs::path(DINO_SOURCE_DIR) / "recipes" / "crops" / name);
  };
  EXPECT_EQ(load("dino.toml").crops, data::MultiCropOptions{});
  EXPECT_EQ(load("dino.toml").masks, data::MaskOptions{});

  Recipe expected;  // of DINOv2
  expected.crops.global_scale = {0.32, 1.0};
  expected.crops.local_scale = {0.05, 0.32};
  expected.crops.local_size = 98;
  expected.crops.blur = {0.0, 0.9, 0.5};
  expected.crops.blur_kernel = 9;
  expected.masks = {.share = 0.5, .ratio = {0.1, 0.5}};
  EXPECT_EQ(load("dinov2.toml").crops, expected.crops);
  EXPECT_EQ(load("dinov2.toml").masks, expected.masks);
  EXPECT_EQ(load("dinov2.toml").backbone.patch_size, 14);

  expected.crops.global_size = 256;
  expected.crops.local_size = 112;
  expected.crops.horizontal_flip = 0;
  expected.masks.exact = true;
  EXPECT_EQ(load("dinov3.toml").crops, expected.crops);
  EXPECT_EQ(load("dinov3.toml").masks, expected.masks);
  expected.crops.gram_size = 512;
  EXPECT_EQ(load("dinov3_gram.toml").crops, expected.crops);
  const Recipe highres = load("dinov3_highres.toml");
  EXPECT_EQ(highres.mixes, (data::MixOptions{.probability = {0.3, 0.3, 0.3, 0.05, 0.05},
                                             .global_size = {512, 768, 768, 768, 768},
                                             .local_size = {112, 112, 168, 224, 336},
                                             .gram_size = {768, 1152, 1152, 1152, 1152}}));
  EXPECT_EQ(highres.backbone.patch_size, 16);
}

TEST(RecipeFiles, ImageNetRecipeIsThePaper) {
  const Recipe recipe = load_recipe(fs::path(DINO_SOURCE_DIR) / "recipes" / "dino_vits16.toml");
  EXPECT_EQ(recipe.crops, data::MultiCropOptions{});
  EXPECT_EQ(recipe.head, Head{});
  EXPECT_EQ(recipe.dino, Dino{});
  EXPECT_EQ(recipe.backbone, Backbone{.patch_size = 16});
}

}  // namespace
}  // namespace dino::recipe
