// Images are shared out to threads, each taking its own through all blocks a slab at a time; with
// fewer images than threads, the threads work on the same image: each owns some rows of tokens, and
// they meet once per block, where attention reads the keys and values of all.
#include "dino/model/frozen_vit.h"

#include <ATen/Parallel.h>
#include <omp.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <deque>
#include <thread>

#include "dino/base/error.h"
#include "dino/cpu/attention.h"
#include "dino/cpu/bf16_rule.h"
#include "dino/cpu/kernels.h"

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

/** Threads that work on the same slab meet here. */
class Barrier {
 public:
  /** Before any of them waits. */
  void gather(int members) { members_ = members; }
  void wait() {
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

 private:
  int members_ = 1;
  std::atomic<int> arrived_ = 0, round_ = 0;
};

struct Range {
  std::int64_t first = 0, last = 0;
  std::int64_t size() const { return last - first; }
};

/** Part `member` of `members` of n things. */
Range share(std::int64_t n, int member, int members) {
  return {n * member / members, n * (member + 1) / members};
}

}  // namespace

/** One call: its images, where results go, and the memory of its slabs. */
struct FrozenVit::Call {
  const float* images = nullptr;
  std::int64_t batch = 0, channels = 0, height = 0, width = 0;
  std::int64_t grid_height = 0, grid_width = 0, tokens = 0;  ///< tokens: N
  const float* positions = nullptr;                          ///< [1 + P, D]
  const float* rope = nullptr;                               ///< [2, P, d]
  std::vector<Tap>* taps = nullptr;
  float* cls = nullptr;  ///< [B, D]: only CLS is wanted of the last block
  std::stop_token stop;
};

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

/** The memory of one slab and what a member of its team does with its rows. Only the constructor
 * allocates. */
class FrozenVit::Lane {
 public:
  Lane(const FrozenVit& net, const Call& call, std::int64_t slab_images, int most_members)
      : net_(net), call_(call) {
    const arch::Vit& v = net.architecture_.vit;
    const auto rows = static_cast<std::size_t>(slab_images * call.tokens);
    const auto dim = static_cast<std::size_t>(v.dim), hidden = static_cast<std::size_t>(v.hidden);
    const std::size_t item = item_bytes(net.activations_);
    x_ = cpu::AlignedBytes(rows * dim * sizeof(float));
    normed_ = cpu::AlignedBytes(rows * dim * item);
    for (auto& qkv : qkv_) qkv = cpu::AlignedBytes(rows * 3 * dim * item);
    hidden_ = cpu::AlignedBytes(rows * static_cast<std::size_t>(row_stride(v.hidden)) * item);
    if (v.hidden % 2 != 0)
      std::memset(hidden_.data(), 0, hidden_.size());  // what lies between rows
    columns_ =
        cpu::AlignedBytes(static_cast<std::size_t>(slab_images * call.grid_height *
                                                   call.grid_width * net.patch_.weights.inputs()) *
                          sizeof(float));
    if (net.type_ == cpu::GemmType::I8) {
      byte_stride_ = static_cast<std::int64_t>(std::max(dim, hidden)) + 64;
      bytes_ = cpu::AlignedBytes(rows * static_cast<std::size_t>(byte_stride_));
      scales_ = cpu::AlignedBytes(rows * sizeof(float));
    }
    const auto scratch =
        static_cast<std::size_t>(cpu::attention_scratch_bytes(call.tokens, v.dim / v.heads));
    for (int m = 0; m < most_members; ++m) scratch_.emplace_back(scratch);
  }

  /** Before the first run(): how many members the team has after all. */
  void gather(int members) {
    members_ = members;
    barrier_.gather(members);
  }

  /** Takes images [first, first + count) through the network; every member of the team calls it.
   * All of them return false if the call is to end early. */
  bool run(std::int64_t first, std::int64_t count, int member) {
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

 private:
  const arch::Vit& vit() const { return net_.architecture_.vit; }
  std::int64_t dim() const { return vit().dim; }
  std::int64_t prefix() const { return 1 + vit().registers; }
  float* x(std::int64_t row) const { return x_.data<float>() + row * dim(); }
  std::byte* at(std::byte* base, std::int64_t element) const {
    return base + static_cast<std::size_t>(element) * item_bytes(net_.activations_);
  }

  std::int64_t patches() const { return call_.grid_height * call_.grid_width; }

  /** Patches of whole images as rows. */
  void cut_patches(std::int64_t first, Range images) const {
    const std::int64_t pixels = call_.channels * call_.height * call_.width;
    for (std::int64_t i = images.first; i < images.last; ++i)
      cpu::kernels().patchify(
          cpu::Type::F32, call_.images + (first + i) * pixels, call_.channels, call_.height,
          call_.width, vit().patch_size,
          columns_.data<float>() + i * patches() * net_.patch_.weights.inputs());
  }

  /** CLS, registers and this member's share of each image's patches into x. */
  void embed(std::int64_t images, int member) const {
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

  void normalize(const Norm& norm, Range rows, void* out, cpu::Type type) const {
    cpu::kernels().layer_norm_forward({.dim = dim(),
                                       .x_in = x(0),
                                       .gamma = norm.gamma.data(),
                                       .beta = norm.beta.data(),
                                       .eps = static_cast<float>(vit().norm_eps),
                                       .out = out,
                                       .type = type},
                                      rows.first, rows.last);
  }

  /** out [rows, ...] = epilogue(in [rows, inputs]); AddScaled adds to x. */
  void multiply(const Linear& layer, Range rows, std::byte* in, std::byte* out,
                cpu::Epilogue epilogue, const Linear* next) const {
    if (rows.size() <= 0) return;
    const cpu::PackedWeights& w = layer.weights;
    const bool to_x = epilogue == cpu::Epilogue::AddScaled;
    const std::int64_t stride = row_stride(w.inputs());
    const std::int64_t out_stride = row_stride(w.gated() ? w.outputs() / 2 : w.outputs());
    cpu::Gemm gemm{
        .weights = &w,
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

  /** Rotary positions of queries and keys. */
  void rotate(std::byte* qkv, Range rows) const {
    if (call_.rope == nullptr) return;
    const std::int64_t d = dim() / vit().heads;
    for (std::int64_t row = rows.first; row < rows.last; ++row) {
      const std::int64_t patch = row % call_.tokens - prefix();
      if (patch < 0) continue;
      const float* cosines = call_.rope + patch * d;
      cpu::kernels().rotate(net_.activations_, at(qkv, row * 3 * dim()), 2 * vit().heads, d,
                            cosines, cosines + patches() * d);
    }
  }

  /** Attention of query rows [first, last) of image `i` of the slab, every head, into `out` rows.
   */
  void attend_image(std::byte* qkv, std::int64_t i, Range queries, std::byte* out,
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

  /** Own query rows of every image they touch; the heads' outputs take the place of normed_. */
  void attend(std::byte* qkv, Range own, int member) const {
    for (std::int64_t row = own.first; row < own.last;) {
      const std::int64_t i = row / call_.tokens;
      const std::int64_t end = std::min(own.last, (i + 1) * call_.tokens);
      attend_image(qkv, i, {row - i * call_.tokens, end - i * call_.tokens},
                   at(normed_.data(), row * dim()), member);
      row = end;
    }
  }

  /** What follows attention, row by row: projection, norm, feed-forward network. */
  void feed_forward(const Block& block, Range rows, const Linear* next) const {
    multiply(block.proj, rows, normed_.data(), nullptr, cpu::Epilogue::AddScaled, &block.fc1);
    normalize(block.norm2, rows, normed_.data(), net_.activations_);
    multiply(block.fc1, rows, normed_.data(), hidden_.data(),
             block.fc1.weights.gated() ? cpu::Epilogue::SwiGlu : cpu::Epilogue::Gelu, &block.fc2);
    multiply(block.fc2, rows, hidden_.data(), nullptr, cpu::Epilogue::AddScaled, next);
  }

  /** The last block for the CLS rows alone. They move to the front rows of their image's own
   * memory: row i * N stays where it is, so each is a range of one row. */
  void finish_cls(const Block& block, std::byte* qkv, std::int64_t first, Range images,
                  int member) const {
    for (std::int64_t i = images.first; i < images.last; ++i) {
      const Range row{i * call_.tokens, i * call_.tokens + 1};
      attend_image(qkv, i, {0, 1}, at(normed_.data(), row.first * dim()), member);
      feed_forward(block, row, nullptr);
      final_norm(row, true, call_.cls + (first + i) * dim());
    }
  }

  /** Final norm of rows of one kind, to `out`. */
  void final_norm(Range rows, bool is_prefix, float* out) const {
    const Norm& norm = is_prefix && !net_.cls_norm_.gamma.empty() ? net_.cls_norm_ : net_.norm_;
    normalize(norm, rows, out - rows.first * dim(), cpu::Type::F32);
  }

  void write_tap(const Tap& tap, std::int64_t first, Range rows) const {
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

  const FrozenVit& net_;
  const Call& call_;
  int members_ = 1;
  Barrier barrier_;
  std::array<std::atomic<bool>, 2> is_leaving_ = {};
  cpu::AlignedBytes x_, normed_, qkv_[2], hidden_, columns_, bytes_, scales_;
  std::int64_t byte_stride_ = 0;            ///< each row's own place, whatever the layer's width
  std::vector<cpu::AlignedBytes> scratch_;  ///< one per member
};

void FrozenVit::run(Call& call) const {
  share_out(call);
  if (call.stop.stop_requested()) throw Stopped();  // some rows were left as they were
}

void FrozenVit::share_out(Call& call) const {
  const auto threads = static_cast<int>(
      std::min<std::int64_t>(at::get_num_threads(), call.batch * call.tokens / kLeastRows + 1));
  const std::int64_t slab = std::clamp<std::int64_t>(kSlabRows / call.tokens, 1, call.batch);
  const bool alone = threads == 1 || call.batch % threads == 0 || call.batch >= 4 * threads;
  // No exception may leave a parallel region, so memory is found before it.
  if (alone) {  // each thread its own images
    const std::int64_t step = std::clamp<std::int64_t>(call.batch / threads, 1, slab);
    std::deque<Lane> lanes;
    for (int t = 0; t < threads; ++t) lanes.emplace_back(*this, call, step, 1);
    std::atomic<std::int64_t> next = 0;
#pragma omp parallel num_threads(threads)
    {
      Lane& lane = lanes[static_cast<std::size_t>(omp_get_thread_num())];
      for (std::int64_t first = next.fetch_add(step); first < call.batch;
           first = next.fetch_add(step))
        if (!lane.run(first, std::min(step, call.batch - first), 0)) break;
    }
    return;
  }
  Lane lane(*this, call, slab, threads);
#pragma omp parallel num_threads(threads)
  {
#pragma omp single
    lane.gather(omp_get_num_threads());
    for (std::int64_t first = 0; first < call.batch; first += slab)
      if (!lane.run(first, std::min(slab, call.batch - first), omp_get_thread_num())) break;
  }
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
