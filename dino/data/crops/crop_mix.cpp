#include "dino/data/crops/crop_mix.h"

#include <cmath>
#include <numeric>

#include "dino/base/error.h"
#include "dino/data/crops/crop_mix_fields.h"
#include "dino/data/crops/rng_streams.h"

namespace dino::data {

void validate(const MixOptions& mixes, const MultiCropOptions& crops) {
  check_fields("mixes", mixes);
  const std::size_t count = mixes.probability.size();
  const auto check_length = [&](const char* key, std::size_t length) {
    if (length != count)
      fail(ErrorKind::Config,
           "[recipe] mixes.{} has {} entries but mixes.probability has {}; give one per mix", key,
           length, count);
  };
  check_length("global_size", mixes.global_size.size());
  check_length("local_size", mixes.local_size.size());
  if (!mixes.gram_size.empty()) check_length("gram_size", mixes.gram_size.size());
  if (!mixes.any()) return;
  const double sum = std::reduce(mixes.probability.begin(), mixes.probability.end());
  if (std::abs(sum - 1) > 1e-6)
    fail(ErrorKind::Config, "[recipe] mixes.probability adds up to {}; it must be 1", sum);
  for (int mix = 0; mix < static_cast<int>(count); ++mix)
    validate(mixed_crops(crops, mixes, mix), static_cast<int>(crops.mean.size()));
}

int draw_mix(const MixOptions& mixes, std::uint64_t seed, std::int64_t iteration) {
  if (!mixes.any()) return 0;
  double left = batch_stream(seed, iteration, BatchStream::Mix).uniform();
  int mix = 0;
  while (mix + 1 < static_cast<int>(mixes.probability.size())) {
    left -= mixes.probability[static_cast<std::size_t>(mix)];
    if (left < 0) break;
    ++mix;
  }
  return mix;
}

MultiCropOptions mixed_crops(MultiCropOptions crops, const MixOptions& mixes, int mix) {
  if (!mixes.any()) return crops;
  const auto i = static_cast<std::size_t>(mix);
  crops.global_size = mixes.global_size.at(i);
  crops.local_size = mixes.local_size.at(i);
  if (!mixes.gram_size.empty()) crops.gram_size = mixes.gram_size.at(i);
  return crops;
}

}  // namespace dino::data
