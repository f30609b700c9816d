// The functions behind TorchActions: one file each.
#pragma once
#include "cli/torch_actions.h"

namespace dino::cli {

int run_train(const TrainRun& run, Context& context);
int run_embed(const EmbedFlags& flags, Context& context);
int run_knn(const KnnFlags& flags, Context& context);
int run_patches(const PatchFlags& flags, Context& context);
int run_convert(const ConvertFlags& flags, Context& context);
image::Sheet show_attention(const ShowFlags& flags, Context& context);
image::Sheet show_pca(const ShowFlags& flags, Context& context);
image::Sheet show_neighbors(const ShowFlags& flags, Context& context);
int run_bench_train(const TrainBench& bench, Context& context);
int run_bench_infer(const InferFlags& flags, Context& context);

}  // namespace dino::cli
