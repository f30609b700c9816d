// Each member of a team owns some rows of tokens; the members meet once per block, where attention
// reads the keys and values of all. A team of one waits for nobody.
#include "dino/model/frozen_vit_lane.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "dino/cpu/attention.h"

namespace dino::model {
namespace {

const float* or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

/** Elements from one row of activations to the next: an even number, for products take pairs. */
std::int64_t row_stride(std::int64_t columns) {
  return columns + columns % 2;
}

std::size_t item_bytes(cpu::Type type) {
  return type == cpu::Type::BF16 ? 2 : 4;
}

}  // namespace

void FrozenVit::Lane::Barrier::wait() {
  if (members_ == 1) return;
  const int round = round_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
    if (spins > 4096) std::this_thread::yield();
  }
}

FrozenVit::Lane::Lane(const FrozenVit& net, const Call& call, std::int64_t slab_images,
                      int most_members)
    : net_(net), call_(call) {
  const arch::Vit& v = net.architecture_.vit;
  const auto rows = static_cast<std::size_t>(slab_images * call.tokens);
  const auto dim = static_cast<std::size_t>(v.dim), hidden = static_cast<std::size_t>(v.hidden);
  const std::size_t item = item_bytes(net.activations_);
  x_ = AlignedBytes(rows * dim * sizeof(float));
  normed_ = AlignedBytes(rows * dim * item);
  for (auto& qkv : qkv_) qkv = AlignedBytes(rows * 3 * dim * item);
  hidden_ = AlignedBytes(rows * static_cast<std::size_t>(row_stride(v.hidden)) * item);
  if (v.hidden % 2 != 0) std::memset(hidden_.data(), 0, hidden_.size());  // what lies between rows
  columns_ = AlignedBytes(static_cast<std::size_t>(slab_images * call.grid_height *
                                                   call.grid_width * net.patch_.weights.inputs()) *
                          sizeof(float));
  if (net.type_ == cpu::GemmType::I8) {
    byte_stride_ = static_cast<std::int64_t>(std::max(dim, hidden)) + 64;
    bytes_ = AlignedBytes(rows * static_cast<std::size_t>(byte_stride_));
    scales_ = AlignedBytes(rows * sizeof(float));
  }
  const auto scratch =
      static_cast<std::size_t>(cpu::attention_scratch_bytes(call.tokens, v.dim / v.heads));
  for (int m = 0; m < most_members; ++m) scratch_.emplace_back(scratch);
}

void FrozenVit::Lane::gather(int members) {
  members_ = members;
  barrier_.gather(members);
}

bool FrozenVit::Lane::run(std::int64_t first, std::int64_t count, int member) {
  const std::int64_t rows = count * call_.tokens;
  const Range own = share(rows, member, members_);
  cut_patches(first, share(count, member, members_));
  barrier_.wait();
  embed(count, member);
  barrier_.wait();
  const auto depth = static_cast<std::int64_t>(net_.blocks_.size());
  for (std::int64_t i = 0; i < depth; ++i) {
    const Block& block = net_.blocks_[static_cast<std::size_t>(i)];
    std::byte* qkv = qkv_[i % 2].data();
    // One member decides for all, or they would wait for each other for ever. It decides about
    // block i + 2 only when all have read what it decided about this one.
    auto& is_leaving = is_leaving_[i % 2];
    if (member == 0) is_leaving.store(call_.stop.stop_requested(), std::memory_order_relaxed);
    normalize(block.norm1, own, normed_.data(), net_.activations_);
    multiply(block.qkv, own, normed_.data(), qkv, cpu::Epilogue::Store, &block.proj);
    rotate(qkv, own);
    barrier_.wait();  // the rows of all keys and values are there
    if (is_leaving.load(std::memory_order_relaxed)) return false;
    if (call_.cls != nullptr && i + 1 == depth) {
      finish_cls(block, qkv, first, share(count, member, members_), member);
      break;
    }
    attend(qkv, own, member);
    feed_forward(block, own, i + 1 < depth ? &(&block)[1].qkv : nullptr);
    for (const Tap& tap : *call_.taps)
      if (tap.block == i) write_tap(tap, first, own);
  }
  barrier_.wait();  // before the next slab takes the memory
  return true;
}

std::byte* FrozenVit::Lane::at(std::byte* base, std::int64_t element) const {
  return base + static_cast<std::size_t>(element) * item_bytes(net_.activations_);
}

void FrozenVit::Lane::cut_patches(std::int64_t first, Range images) const {
  const std::int64_t pixels = call_.channels * call_.height * call_.width;
  for (std::int64_t i = images.first; i < images.last; ++i)
    cpu::kernels().patchify(cpu::Type::F32, call_.images + (first + i) * pixels, call_.channels,
                            call_.height, call_.width, vit().patch_size,
                            columns_.data<float>() + i * patches() * net_.patch_.weights.inputs());
}

void FrozenVit::Lane::embed(std::int64_t images, int member) const {
  const std::int64_t d = dim(), inputs = net_.patch_.weights.inputs();
  const Range own = share(patches(), member, members_);
  for (std::int64_t i = 0; i < images; ++i) {
    float* tokens = x(i * call_.tokens);
    float* rows = tokens + (prefix() + own.first) * d;
    cpu::kernels().gemm({.weights = &net_.patch_.weights,
                         .rows = own.size(),
                         .x = columns_.data<float>() + (i * patches() + own.first) * inputs,
                         .x_stride = inputs,
                         .bias = or_null(net_.patch_.bias),
                         .out = rows,
                         .out_stride = d});
    const float* positions = call_.positions;
    if (positions != nullptr)
      cpu::kernels().add(cpu::Type::F32, rows, positions + (1 + own.first) * d, rows,
                         own.size() * d);
    if (member != 0) continue;
    std::copy(net_.cls_.begin(), net_.cls_.end(), tokens);
    std::copy(net_.registers_.begin(), net_.registers_.end(), tokens + d);
    if (positions != nullptr) cpu::kernels().add(cpu::Type::F32, tokens, positions, tokens, d);
  }
}

void FrozenVit::Lane::normalize(const Norm& norm, Range rows, void* out, cpu::Type type) const {
  cpu::kernels().layer_norm_forward({.dim = dim(),
                                     .x_in = x(0),
                                     .gamma = norm.gamma.data(),
                                     .beta = norm.beta.data(),
                                     .eps = static_cast<float>(vit().norm_eps),
                                     .out = out,
                                     .type = type},
                                    rows.first, rows.last);
}

void FrozenVit::Lane::multiply(const Linear& layer, Range rows, std::byte* in, std::byte* out,
                               cpu::Epilogue epilogue, const Linear* next) const {
  if (rows.size() <= 0) return;
  const cpu::PackedWeights& w = layer.weights;
  const bool to_x = epilogue == cpu::Epilogue::AddScaled;
  const std::int64_t stride = row_stride(w.inputs());
  const std::int64_t out_stride = row_stride(w.gated() ? w.outputs() / 2 : w.outputs());
  cpu::Gemm gemm{.weights = &w,
                 .rows = rows.size(),
                 .x = at(in, rows.first * stride),
                 .x_stride = stride,
                 .bias = or_null(layer.bias),
                 .epilogue = epilogue,
                 .gain = or_null(layer.gain),
                 .out = to_x ? static_cast<void*>(x(rows.first)) : at(out, rows.first * out_stride),
                 .out_stride = out_stride,
                 .out_type = to_x ? cpu::Type::F32 : net_.activations_,
                 .next = next == nullptr ? nullptr : &next->weights};
  if (w.type() == cpu::GemmType::I8) {
    const std::int64_t bytes_stride = w.padded_inputs();
    auto* bytes = bytes_.data<std::uint8_t>() + rows.first * byte_stride_;
    float* scales = scales_.data<float>() + rows.first;
    cpu::kernels().quantize_rows({.type = net_.activations_,
                                  .x = gemm.x,
                                  .rows = rows.size(),
                                  .dim = w.inputs(),
                                  .stride = stride,
                                  .out = bytes,
                                  .out_stride = bytes_stride,
                                  .scales = scales});
    gemm.x = bytes;
    gemm.x_stride = bytes_stride;
    gemm.x_scales = scales;
  }
  cpu::kernels().gemm(gemm);
}

void FrozenVit::Lane::rotate(std::byte* qkv, Range rows) const {
  if (call_.rope == nullptr) return;
  const std::int64_t d = dim() / vit().heads;
  for (std::int64_t row = rows.first; row < rows.last; ++row) {
    const std::int64_t patch = row % call_.tokens - prefix();
    if (patch < 0) continue;
    const float* cosines = call_.rope + patch * d;
    cpu::kernels().rotate(net_.activations_, at(qkv, row * 3 * dim()), 2 * vit().heads, d, cosines,
                          cosines + patches() * d);
  }
}

void FrozenVit::Lane::attend_image(std::byte* qkv, std::int64_t i, Range queries, std::byte* out,
                                   int member) const {
  const std::int64_t head_dim = dim() / vit().heads;
  for (std::int64_t h = 0; h < vit().heads; ++h) {
    if (call_.stop.stop_requested()) return;  // a head of a large image takes seconds
    std::byte* keys = at(qkv, i * call_.tokens * 3 * dim() + dim() + h * head_dim);
    cpu::kernels().attention_forward(
        {.type = net_.activations_,
         .queries = queries.size(),
         .keys = call_.tokens,
         .head_dim = head_dim,
         .scale = 1.0F / std::sqrt(static_cast<float>(head_dim)),
         .q = at(qkv, (i * call_.tokens + queries.first) * 3 * dim() + h * head_dim),
         .k = keys,
         .v = at(keys, dim()),
         .q_stride = 3 * dim(),
         .kv_stride = 3 * dim(),
         .out = at(out, h * head_dim),
         .out_stride = dim(),
         .int8 = net_.type_ == cpu::GemmType::I8,
         .scratch = scratch_[static_cast<std::size_t>(member)].data()});
  }
}

void FrozenVit::Lane::attend(std::byte* qkv, Range own, int member) const {
  for (std::int64_t row = own.first; row < own.last;) {
    const std::int64_t i = row / call_.tokens;
    const std::int64_t end = std::min(own.last, (i + 1) * call_.tokens);
    attend_image(qkv, i, {row - i * call_.tokens, end - i * call_.tokens},
                 at(normed_.data(), row * dim()), member);
    row = end;
  }
}

void FrozenVit::Lane::feed_forward(const Block& block, Range rows, const Linear* next) const {
  multiply(block.proj, rows, normed_.data(), nullptr, cpu::Epilogue::AddScaled, &block.fc1);
  normalize(block.norm2, rows, normed_.data(), net_.activations_);
  multiply(block.fc1, rows, normed_.data(), hidden_.data(),
           block.fc1.weights.gated() ? cpu::Epilogue::SwiGlu : cpu::Epilogue::Gelu, &block.fc2);
  multiply(block.fc2, rows, hidden_.data(), nullptr, cpu::Epilogue::AddScaled, next);
}

void FrozenVit::Lane::finish_cls(const Block& block, std::byte* qkv, std::int64_t first,
                                 Range images, int member) const {
  for (std::int64_t i = images.first; i < images.last; ++i) {
    const Range row{i * call_.tokens, i * call_.tokens + 1};
    attend_image(qkv, i, {0, 1}, at(normed_.data(), row.first * dim()), member);
    feed_forward(block, row, nullptr);
    final_norm(row, true, call_.cls + (first + i) * dim());
  }
}

void FrozenVit::Lane::final_norm(Range rows, bool is_prefix, float* out) const {
  const Norm& norm = is_prefix && !net_.cls_norm_.gamma.empty() ? net_.cls_norm_ : net_.norm_;
  normalize(norm, rows, out - rows.first * dim(), cpu::Type::F32);
}

void FrozenVit::Lane::write_tap(const Tap& tap, std::int64_t first, Range rows) const {
  float* out = tap.tokens.data_ptr<float>() + first * call_.tokens * dim();
  if (!tap.norm) {
    std::copy(x(rows.first), x(rows.last), out + rows.first * dim());
    return;
  }
  for (std::int64_t row = rows.first; row < rows.last;) {  // stretches of prefix and of patches
    const std::int64_t image = row / call_.tokens, token = row % call_.tokens;
    const bool is_prefix = token < prefix();
    const std::int64_t end =
        std::min(rows.last, image * call_.tokens + (is_prefix ? prefix() : call_.tokens));
    final_norm({row, end}, is_prefix, out + row * dim());
    row = end;
  }
}

}  // namespace dino::model
