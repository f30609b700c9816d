// Packs the weights, and shares the images of a call out to threads, each taking its own through
// all blocks a slab at a time; with fewer images than threads, the threads work on the same image.
// What a thread does with its slab is in frozen_vit_lane.cpp.
#include "dino/model/frozen_vit.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

#include "dino/base/error.h"
#include "dino/cpu/bf16_rule.h"
#include "dino/cpu/kernels.h"
#include "dino/model/frozen_vit_lane.h"

namespace dino::model {
namespace {

constexpr std::int64_t kSlabRows = 512;  // tokens a thread takes through the blocks at once
constexpr std::int64_t kLeastRows = 6;   // that are worth a thread

cpu::GemmType type_for(Precision precision) {
  switch (FrozenVit::computed(precision).precision) {
    case Precision::Fp32:
      return cpu::GemmType::F32;
    case Precision::Bf16:
      return cpu::GemmType::BF16;
    case Precision::Int8:
      return cpu::GemmType::I8;
  }
  DINO_ASSERT(false);
}

std::vector<float> to_vector(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.to(torch::kFloat32).contiguous();
  const float* data = flat.const_data_ptr<float>();
  return {data, data + flat.numel()};
}

}  // namespace

Computed FrozenVit::computed(Precision precision) {
  Computed computed{precision, fmt::format("dino {}", cpu::kernels().name)};
  // Where pairs of bf16 are the slower way, bf16 is computed in fp32, which loses less.
  if (precision == Precision::Bf16 &&
      !(cpu::kernels().bf16_per_word == 2 && cpu::bf16_pairs_pay(cpu::Processor::here())))
    computed.precision = Precision::Fp32;
  return computed;
}

FrozenVit::FrozenVit(const arch::Architecture& architecture, Precision precision,
                     const std::function<torch::Tensor(const std::string&)>& tensor,
                     const std::function<void()>& copied)
    : architecture_(architecture),
      type_(type_for(precision)),
      activations_(type_ == cpu::GemmType::BF16 ? cpu::Type::BF16 : cpu::Type::F32) {
  const arch::Vit& v = architecture_.vit;
  const auto norm = [&](const std::string& name) {
    return Norm{to_vector(tensor(name + ".weight")), to_vector(tensor(name + ".bias"))};
  };
  const auto linear = [&](const std::string& name, cpu::GemmType type, bool bias,
                          const std::string& gain, bool gated) {
    Linear layer;
    const torch::Tensor weight = tensor(name + ".weight").to(torch::kFloat32).contiguous();
    layer.weights = cpu::PackedWeights(type, weight.const_data_ptr<float>(), weight.size(0),
                                       weight.numel() / weight.size(0), gated);
    if (bias) layer.bias = to_vector(tensor(name + ".bias"));
    if (v.layer_scale && !gain.empty()) layer.gain = to_vector(tensor(gain));
    return layer;
  };
  patch_ = linear("patch_embed.proj", cpu::GemmType::F32, true, "", false);
  cls_ = to_vector(tensor("cls_token"));
  if (v.registers > 0) registers_ = to_vector(tensor("register_tokens"));
  blocks_.resize(static_cast<std::size_t>(v.depth));
  const auto fill_block = [&](std::int64_t i) {
    const std::string b = "blocks." + std::to_string(i) + ".";
    const bool gated = v.ffn == arch::Ffn::SwiGlu;
    Block& block = blocks_[static_cast<std::size_t>(i)];
    block.norm1 = norm(b + "norm1");
    block.qkv = linear(b + "attn.qkv", type_, v.qkv_bias, "", false);
    if (v.mask_key_bias && v.qkv_bias) std::fill_n(block.qkv.bias.begin() + v.dim, v.dim, 0.0F);
    block.proj = linear(b + "attn.proj", type_, true, b + "ls1.gamma", false);
    block.norm2 = norm(b + "norm2");
    block.fc1 = linear(b + (gated ? "mlp.w12" : "mlp.fc1"), type_, true, "", gated);
    block.fc2 = linear(b + (gated ? "mlp.w3" : "mlp.fc2"), type_, true, b + "ls2.gamma", false);
    if (copied) copied();
  };
  at::parallel_for(0, v.depth, 1, [&](std::int64_t first, std::int64_t last) {
    const torch::NoGradGuard no_grad;
    for (std::int64_t i = first; i < last; ++i) fill_block(i);
  });
  norm_ = norm("norm");
  if (v.untie_cls_and_patch_norms) cls_norm_ = norm("cls_norm");
}

void FrozenVit::run(Call& call) const {
  share_out(call);
  if (call.stop.stop_requested()) throw Stopped();  // some rows were left as they were
}

void FrozenVit::share_out(Call& call) const {
  const auto threads = static_cast<int>(
      std::min<std::int64_t>(at::get_num_threads(), call.batch * call.tokens / kLeastRows + 1));
  const std::int64_t slab = std::clamp<std::int64_t>(kSlabRows / call.tokens, 1, call.batch);
  const bool alone = threads == 1 || call.batch % threads == 0 || call.batch >= 4 * threads;
  // A member that throws would leave the others waiting for it, so memory is found before.
  if (alone) {  // each thread its own images
    const std::int64_t step = std::clamp<std::int64_t>(call.batch / threads, 1, slab);
    std::deque<Lane> lanes;
    for (int t = 0; t < threads; ++t) lanes.emplace_back(*this, call, step, 1);
    std::atomic<std::int64_t> next = 0;
    at::parallel_for(0, threads, 1, [&](std::int64_t lane, std::int64_t) {
      for (std::int64_t first = next.fetch_add(step); first < call.batch;
           first = next.fetch_add(step))
        if (!lanes[static_cast<std::size_t>(lane)].run(first, std::min(step, call.batch - first),
                                                       0))
          break;
    });
    return;
  }
  Lane lane(*this, call, slab, threads);
  std::once_flag gathered;
  at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    // Where fewer threads come than were asked for, inside another parallel loop or under a limit
    // of OpenMP, each is given as many places as the first; the last may get fewer.
    const int member = at::get_thread_num();
    const std::int64_t places = member == 0 ? end : begin / member;
    std::call_once(gathered, [&] { lane.gather(static_cast<int>((threads - 1) / places + 1)); });
    for (std::int64_t first = 0; first < call.batch; first += slab)
      if (!lane.run(first, std::min(slab, call.batch - first), member)) break;
  });
}

FrozenVit::Call FrozenVit::make_call(const Input& input) const {
  DINO_ASSERT(input.images.is_contiguous() && input.images.scalar_type() == torch::kFloat32);
  const std::int64_t p = architecture_.vit.patch_size;
  Call call;
  call.images = input.images.const_data_ptr<float>();
  call.batch = input.images.size(0);
  call.channels = input.images.size(1);
  call.height = input.images.size(2);
  call.width = input.images.size(3);
  call.grid_height = call.height / p;
  call.grid_width = call.width / p;
  call.tokens = 1 + architecture_.vit.registers + call.grid_height * call.grid_width;
  if (input.positions.defined()) call.positions = input.positions.const_data_ptr<float>();
  if (input.rope.defined()) call.rope = input.rope.const_data_ptr<float>();
  call.stop = input.stop;
  return call;
}

void FrozenVit::forward(const Input& input, std::vector<Tap>& taps) const {
  Call call = make_call(input);
  for (Tap& tap : taps) tap.tokens = torch::empty({call.batch, call.tokens, architecture_.vit.dim});
  call.taps = &taps;
  if (call.batch > 0) run(call);
}

torch::Tensor FrozenVit::cls(const Input& input) const {
  Call call = make_call(input);
  std::vector<Tap> none;
  call.taps = &none;
  torch::Tensor cls = torch::empty({call.batch, architecture_.vit.dim});
  call.cls = cls.data_ptr<float>();
  if (call.batch > 0) run(call);
  return cls;
}

}  // namespace dino::model
