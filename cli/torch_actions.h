// What the program does with LibTorch, and what each of these actions is asked for. They live in
// the module dino_torch.so (cli/torch), which is loaded, and LibTorch with it, when one of them is
// called for: everything else starts in a tenth of the time without.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/folder_recipe.h"
#include "cli/network_flags.h"
#include "cli/recipe_flags.h"
#include "dino/image/pictures/sheet.h"
#include "dino/recipe/recipe.h"

namespace dino::cli {

/** A run to begin or to continue. */
struct TrainRun {
  recipe::Recipe recipe;
  std::string recipe_text;             ///< see train::TrainRequest
  std::optional<FolderChoice> chosen;  ///< instead of a recipe: to be measured, then trained
  std::filesystem::path directory;
  bool resume = false;  ///< continue the run in `directory`
  bool force = false;   ///< replace a run in `directory`
};

struct EmbedFlags {
  NetworkFlags network;
  std::string images, out;
  std::vector<std::string> store = {"cls"};
  std::string dtype = "f32";
  std::int64_t shard_rows = 0;
  int batch_size = 64;
  double save_every = 2;
  bool append = false, retry_bad = false, force = false;
};

struct KnnFlags {
  NetworkFlags network;
  std::string train, test;
  std::string features = "cls";
  std::vector<int> k = {20};
  double temperature = 0.07;
  bool center = false;
  int shift_px = 0;
  int channels = 0;
  std::uint64_t seed = 0;
};

struct PatchFlags {
  NetworkFlags network;
  std::string scenes;
  std::string features = "patches";
  std::int64_t gallery = 20'000, test_scenes = 0;
  int k = 20;
  double temperature = 0.07;
  std::uint64_t seed = 0;
};

struct ShowFlags {
  NetworkFlags network;
  RecipeFlags recipe;
  std::string images, gallery, out;
  std::vector<std::int64_t> index;
  int count = 6, k = 8, stride = 0, tile_px = 112;
  bool center = false, force = false;
};

struct ConvertFlags {
  std::string weights, heads, out;
  std::string to = "dino", precision = "fp32";
  weights::ReadOptions read;
  bool allow_loss = false, force = false, dry_run = false;
};

/** Steps to time of a recipe's training. */
struct TrainBench {
  recipe::Recipe recipe;
  int steps = 20, warmup = 3;
};

struct InferFlags {
  std::string model = "dinov2_vits14", precision = "fp32";
  int size = 224, batch = 1, runs = 20, warmup = 3;
};

/** Those without a picture print their result and return an ExitCode. All throw dino::Error. */
struct TorchActions {
  int (*train)(const TrainRun&, Context&);
  int (*embed)(const EmbedFlags&, Context&);
  int (*knn)(const KnnFlags&, Context&);
  int (*patches)(const PatchFlags&, Context&);
  int (*convert)(const ConvertFlags&, Context&);
  image::Sheet (*attention)(const ShowFlags&, Context&);
  image::Sheet (*pca)(const ShowFlags&, Context&);
  image::Sheet (*neighbors)(const ShowFlags&, Context&);
  int (*bench_train)(const TrainBench&, Context&);
  int (*bench_infer)(const InferFlags&, Context&);
};

/** Loads the module if it is not yet loaded. Throws Error{Io}, which names the file, if it is
 * missing, cannot be loaded or is of another version. */
const TorchActions& torch_actions();

/** What the module exports, under this name: its actions, or nullptr for a program of another
 * version. */
extern "C" const TorchActions* dino_torch_actions(const char* program_version);

}  // namespace dino::cli
