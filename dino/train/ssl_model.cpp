// One training step of DINO: teacher targets, packed student forward, loss, backward, clip, update,
// EMA (main_dino.py train_one_epoch).
#include "dino/train/ssl_model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <cmath>
#include <set>

#include "dino/base/error.h"
#include "dino/base/rng.h"
#include "dino/base/schedule.h"
#include "dino/cpu/kernels.h"
#include "dino/loss/centering.h"
#include "dino/loss/dino_loss.h"
#include "dino/train/optimizer.h"

namespace dino::train {
namespace {

constexpr const char* kDino = "dino";  // the objective's and its head's name
constexpr const char* kHeadModule = "dino_head";

Network make_network(const recipe::Recipe& recipe, model::Precision precision, bool student,
                     torch::Generator generator) {
  Network network;
  network.module = std::make_shared<torch::nn::Module>();
  const recipe::Backbone& b = recipe.backbone;
  model::TrainingOptions options{.layer_scale = b.layer_scale};
  if (student) {  // the teacher sees every block and every position as it is
    options.drop_path = b.drop_path;
    options.rope_augment = {b.rope_shift, b.rope_jitter, b.rope_rescale};
  }
  network.backbone = model::make_backbone(recipe::architecture_of(recipe), options, generator);
  network.backbone->set_precision(precision);
  network.module->register_module("backbone", network.backbone);
  auto head = std::make_shared<model::DinoHead>(network.backbone->dim(), recipe.head, generator);
  head->set_precision(precision);
  network.heads[kDino] = network.module->register_module(kHeadModule, head);
  network.arena = model::ParamArena(*network.module, /*with_gradients=*/student);
  return network;
}

torch::Dtype dtype_of(data::SampleType type) {
  switch (type) {
    case data::SampleType::F32:
      return torch::kFloat32;
    case data::SampleType::BF16:
      return torch::kBFloat16;
    case data::SampleType::U8:
      return torch::kUInt8;
  }
  DINO_ASSERT(false);
}

/** Which part of a batch a forward pass sees: micro-batch `part` of `parts`. */
struct MicroBatch {
  const data::CropBatch& batch;
  const data::MultiCropOptions& options;  // to normalize U8
  int part = 0, parts = 1;

  /** Of crop-major [views, B, ...] samples, as [views * b, C, size, size] fp32; no copy of F32 when
   * there is one part. */
  torch::Tensor crops(const data::AlignedBuffer& buffer, int views, int size) const {
    const torch::Tensor all = torch::from_blob(
        const_cast<std::byte*>(buffer.data<std::byte>()),
        {views, batch.batch_size, batch.channels, size, size}, dtype_of(buffer.type()));
    const std::int64_t b = batch.batch_size / parts;
    const torch::Tensor images = all.narrow(1, part * b, b)
                                     .reshape({views * b, batch.channels, size, size})
                                     .to(torch::kFloat32);
    if (buffer.type() != data::SampleType::U8) return images;
    const auto per_channel = [&](const std::vector<double>& values) {
      return torch::tensor(values, torch::kFloat32).view({1, batch.channels, 1, 1});
    };
    return images.div(255).sub_(per_channel(options.mean)).div_(per_channel(options.std));
  }
};

}  // namespace

struct SslModel::Impl {
  recipe::Recipe recipe;
  std::int64_t iterations_per_epoch;
  torch::Generator generator;
  Network student, teacher;
  torch::Tensor center;  // [K] fp32
  std::unique_ptr<Optimizer> optimizer;
  // Running statistics of both networks, and what they were before the step.
  std::vector<torch::Tensor> buffers, buffers_before;

  Impl(const recipe::Recipe& r, model::Precision precision, std::int64_t per_epoch)
      : recipe(r),
        iterations_per_epoch(per_epoch),
        generator(at::detail::createCPUGenerator(r.seed)),
        student(make_network(r, precision, true, generator)),
        teacher(make_network(r, precision, false, generator)),
        center(torch::zeros({r.head.prototypes})) {
    const torch::NoGradGuard no_grad;
    teacher.arena.values().copy_(student.arena.values());
    copy_buffers();
    // The reference leaves the teacher in train mode: without effect on a ViT, needed by batch
    // norm.
    student.module->train();
    teacher.module->train();
    std::vector<bool> trainable;
    for (const auto& slice : student.arena.slices()) {
      const bool gain = slice.name.find("last_layer.weight_g") != std::string::npos;
      trainable.push_back(!(gain && recipe.head.norm_last_layer));
    }
    optimizer = std::make_unique<Optimizer>(recipe.optim, student.arena, trainable);
    for (const auto* network : {&student, &teacher})
      for (const auto& item : network->module->named_buffers()) {
        buffers.push_back(item.value());
        buffers_before.push_back(item.value().clone());
      }
  }

  /** Forward passes change the running statistics of batch norm, before a step is known to be good.
   */
  void note_buffers() {
    for (std::size_t i = 0; i < buffers.size(); ++i) buffers_before[i].copy_(buffers[i]);
  }
  void restore_buffers() {
    for (std::size_t i = 0; i < buffers.size(); ++i) buffers[i].copy_(buffers_before[i]);
  }

  void copy_buffers() {
    auto from = student.module->named_buffers();
    for (auto& item : teacher.module->named_buffers()) item.value().copy_(from[item.key()]);
  }

  /** Logits [2 * b, K] of the teacher for the global crops. */
  torch::Tensor teacher_logits(const torch::Tensor& globals) {
    const torch::NoGradGuard no_grad;
    const auto features = teacher.backbone->forward_groups({{globals, {}}}, model::Tokens::Cls);
    return teacher.heads.at(kDino)->forward(features[0].cls);
  }

  /** Logits [(2 + V) * b, K] of the student for all crops, in one packed pass. */
  torch::Tensor student_logits(const torch::Tensor& globals, const torch::Tensor& locals) {
    std::vector<model::CropGroup> groups = {{globals, {}}};
    if (locals.size(0) > 0) groups.push_back({locals, {}});
    const auto features = student.backbone->forward_groups(groups, model::Tokens::Cls);
    std::vector<torch::Tensor> cls;
    for (const auto& group : features) cls.push_back(group.cls);
    return student.heads.at(kDino)->forward(cls.size() == 1 ? cls[0] : torch::cat(cls));
  }

  void update_teacher(double momentum) {
    const std::int64_t n = student.arena.values().numel();
    float* to = teacher.arena.values().data_ptr<float>();
    const float* from = student.arena.values().data_ptr<float>();
    at::parallel_for(0, n, 64 * 1024, [&](std::int64_t first, std::int64_t last) {
      cpu::kernels().ema(to + first, from + first, static_cast<float>(momentum), last - first);
    });
  }

  std::vector<StateSlot> slots() const {
    std::vector<StateSlot> all;
    const auto add = [&](const std::string& name, const torch::Tensor& tensor) {
      DINO_ASSERT(tensor.is_contiguous());
      const bool integer = tensor.scalar_type() == torch::kInt64;
      all.push_back({name, tensor.sizes().vec(), integer ? format::DType::I64 : format::DType::F32,
                     tensor.data_ptr()});
    };
    for (const auto* network : {&student, &teacher}) {
      const std::string prefix = network == &student ? "student." : "teacher.";
      for (const auto& item : network->module->named_parameters())
        add(prefix + item.key(), item.value());
      for (const auto& item : network->module->named_buffers())
        add(prefix + item.key(), item.value());
    }
    add("dino_loss.center", center);
    for (auto& slot : optimizer->slots()) all.push_back(std::move(slot));
    return all;
  }
};

SslModel::SslModel(const recipe::Recipe& recipe, model::Precision precision,
                   std::int64_t iterations_per_epoch)
    : impl_(std::make_unique<Impl>(recipe, precision, iterations_per_epoch)) {}
SslModel::~SslModel() = default;

Network& SslModel::student() {
  return impl_->student;
}
Network& SslModel::teacher() {
  return impl_->teacher;
}
double SslModel::uniform_entropy() const {
  return std::log(static_cast<double>(impl_->recipe.head.prototypes));
}

StepSchedule SslModel::schedule(std::int64_t iteration) const {
  const auto& optim = impl_->recipe.optim;
  const auto& train = impl_->recipe.train;
  const auto& dino = impl_->recipe.dino;
  const auto per_epoch = static_cast<double>(impl_->iterations_per_epoch);
  const auto iterations = [per_epoch](double epochs) {
    return static_cast<std::int64_t>(std::llround(epochs * per_epoch));
  };
  const std::int64_t total = iterations(train.epochs);
  const double scale = optim.lr_reference_batch > 0
                           ? static_cast<double>(train.batch_size) / optim.lr_reference_batch
                           : 1.0;
  const CosineSchedule lr{.start = 0,
                          .base = optim.lr * scale,
                          .end = optim.min_lr,
                          .warmup = iterations(optim.warmup_epochs),
                          .iterations = total};
  const CosineSchedule decay{
      .base = optim.weight_decay, .end = optim.weight_decay_end, .iterations = total};
  const CosineSchedule momentum{
      .base = optim.ema_momentum, .end = optim.ema_momentum_end, .iterations = total};
  const std::int64_t epoch = iteration / impl_->iterations_per_epoch;
  const LinearWarmup temperature{.start = dino.warmup_teacher_temperature,
                                 .end = dino.teacher_temperature,
                                 .warmup = std::llround(dino.warmup_teacher_temperature_epochs)};
  return {.lr = lr.at(iteration),
          .weight_decay = decay.at(iteration),
          .momentum = momentum.at(iteration),
          .teacher_temperature = temperature.at(epoch),
          .last_layer_frozen = iteration < iterations(optim.freeze_last_layer_epochs)};
}

StepMetrics SslModel::step(const data::CropBatch& batch, std::int64_t iteration) {
  auto& m = *impl_;
  const int parts = m.recipe.train.accumulate;
  if (batch.batch_size % parts != 0) {
    fail(ErrorKind::Config, "[train] accumulate = {} does not divide batch_size = {}", parts,
         batch.batch_size);
  }
  const StepSchedule now = schedule(iteration);
  // Fresh streams each step: nothing of the generator needs saving for an exact resume.
  m.generator.set_current_seed(
      Rng(m.recipe.seed, static_cast<std::uint64_t>(iteration), /*sample=*/~0ULL, /*view=*/1)
          .next_u64());
  m.student.arena.gradients().zero_();
  m.note_buffers();

  StepMetrics metrics;
  torch::Tensor mean_logits;
  for (int part = 0; part < parts; ++part) {
    const std::int64_t b = batch.batch_size / parts;
    const MicroBatch micro{batch, m.recipe.crops, part, parts};
    const torch::Tensor globals = micro.crops(batch.globals, 2, batch.global_size);
    const torch::Tensor locals = micro.crops(batch.locals, batch.local_count, batch.local_size);

    const bool clean = batch.teacher_globals.size() > 0;
    const torch::Tensor teacher_logits = m.teacher_logits(
        clean ? micro.crops(batch.teacher_globals, 2, batch.global_size) : globals);
    const auto targets =
        loss::center_and_sharpen(teacher_logits, m.center, now.teacher_temperature);
    const torch::Tensor mean = teacher_logits.mean(0, /*keepdim=*/false, torch::kFloat32) / parts;
    mean_logits = part == 0 ? mean : mean_logits + mean;

    const torch::Tensor logits = m.student_logits(globals, locals);
    const torch::Tensor loss =
        loss::dino_loss(logits, targets.probabilities, b, m.recipe.dino.student_temperature);
    (loss * (m.recipe.dino.weight / parts)).backward();
    metrics.losses[kDino] += loss.item<double>() / parts;
    metrics.teacher_entropy += targets.entropy / parts;
  }
  metrics.loss = m.recipe.dino.weight * metrics.losses[kDino];
  metrics.teacher_student_kl = metrics.losses[kDino] - metrics.teacher_entropy;
  metrics.gradient_norm = m.optimizer->measure_gradients();
  if (!std::isfinite(metrics.loss) || !std::isfinite(metrics.gradient_norm)) {
    m.restore_buffers();
    metrics.skipped = true;
    return metrics;
  }
  m.optimizer->step(now.lr, now.weight_decay, now.last_layer_frozen);
  loss::update_center(m.center, mean_logits, m.recipe.dino.center_momentum);
  m.update_teacher(now.momentum);
  return metrics;
}

std::vector<format::TensorRecord> SslModel::state() const {
  std::vector<format::TensorRecord> records;
  for (const auto& slot : impl_->slots()) {
    records.push_back({slot.name,
                       slot.dtype,
                       slot.shape,
                       {static_cast<const std::byte*>(slot.data), slot.bytes()}});
  }
  return records;
}

void SslModel::load_state(const std::vector<format::TensorRecord>& tensors) {
  std::map<std::string, const format::TensorRecord*> given;
  for (const auto& tensor : tensors) given[tensor.name] = &tensor;
  std::vector<std::string> problems;
  const auto slots = impl_->slots();
  for (const auto& slot : slots) {
    const auto found = given.find(slot.name);
    if (found == given.end()) {
      problems.push_back(slot.name + " is missing");
      continue;
    }
    if (found->second->shape != slot.shape || found->second->dtype != slot.dtype) {
      problems.push_back(fmt::format("{} is {} {}, expected {} {}", slot.name,
                                     format::dtype_name(found->second->dtype),
                                     fmt::join(found->second->shape, " x "),
                                     format::dtype_name(slot.dtype), fmt::join(slot.shape, " x ")));
    }
    given.erase(found);
  }
  for (const auto& [name, tensor] : given) problems.push_back(name + " is not expected");
  if (!problems.empty()) {
    const std::size_t shown = std::min<std::size_t>(problems.size(), 8);
    fail(ErrorKind::Config,
         "[load_state] {} tensors do not fit this recipe's network (another architecture, head or "
         "optimizer?): {}{}",
         problems.size(),
         fmt::join(problems.begin(), problems.begin() + static_cast<std::ptrdiff_t>(shown), "; "),
         problems.size() > shown ? "; ..." : "");
  }
  for (const auto& tensor : tensors) given[tensor.name] = &tensor;
  for (const auto& slot : slots)
    std::memcpy(slot.data, given[slot.name]->bytes.data(), slot.bytes());
}

}  // namespace dino::train
