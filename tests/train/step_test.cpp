// A step with objectives that are not DINO: how many there are, what they weigh, whether they look
// at a teacher, and how many ranks take the step together.
#include "dino/train/step.h"

#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "dino/base/error.h"
#include "dino/train/ssl_model.h"
#include "tests/train/step_fakes.h"

namespace dino::train {
namespace {

using objectives::Objective;
using objectives::Views;
using objectives::Weighted;

/** The objective that docs/design.md shows: it does nothing. */
class Nothing final : public Objective {
 public:
  std::string_view name() const override { return "nothing"; }
  objectives::Needs needs() const override { return {}; }
  torch::Tensor loss(const Views&, const Scheduled&) override { return torch::zeros({}); }
};

/** |CLS - 1|^2 of the student's global crops, without a teacher; it counts what it is asked. */
class Pull final : public Objective {
 public:
  std::string_view name() const override { return "pull"; }
  objectives::Needs needs() const override { return {}; }
  torch::Tensor loss(const Views& views, const Scheduled&) override {
    return (views.student_global.cls - 1).square().mean();
  }
  void commit(const Scheduled&, parallel::Communicator&) override { commits_.add_(1); }
  std::vector<model::NamedTensor> state() const override { return {{"pull.commits", commits_}}; }
  std::vector<objectives::Scalar> figures() const override { return {{"commits", commits_}}; }

 private:
  torch::Tensor commits_ = torch::zeros({});
};

Branch make_branch(const recipe::Recipe& r, bool student, std::vector<Weighted>& objectives,
                   torch::Generator generator, std::int64_t dim = 16) {
  Branch branch;
  branch.module = std::make_shared<torch::nn::Module>();
  auto architecture = recipe::architecture_of(r);
  architecture.vit.dim = dim;
  architecture.vit.hidden = 4 * dim;
  branch.backbone = model::make_backbone(architecture, {}, generator);
  branch.module->register_module("backbone", branch.backbone);
  for (Weighted& weighted : objectives)
    for (auto& [name, head] : weighted.objective->make_heads(
             student ? objectives::Role::Student : objectives::Role::Teacher,
             {.dim = dim, .generator = generator}))
      branch.module->register_module(name, head);
  branch.arena = model::ParamArena(*branch.module, student);
  return branch;
}

/** Student and teacher with whatever objectives, on this rank. */
struct HandMade {
  recipe::Recipe recipe = test::step_recipe();
  torch::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
  std::vector<Weighted> objectives;
  parallel::Alone alone;
  Curves curves = {{"lr", {1e-2}},
                   {"weight_decay", {0.1}},
                   {"momentum", {0.9}},
                   {"teacher_temperature", {0.05}},
                   {"local_weight", {1.0}}};
  std::optional<StudentTeacher> networks;
  std::optional<optim::Optimizer> optimizer;
  std::optional<Step> step;

  void add(std::unique_ptr<Objective> objective, double weight = 1) {
    objectives.push_back({std::move(objective), {weight}});
  }
  void add_dino(double weight = 1) {
    auto made = objectives::make_objectives(recipe);
    made[0].weight = {weight};
    objectives.push_back(std::move(made[0]));
  }
  void build(TeacherKind kind = TeacherKind::Ema, parallel::Communicator* ranks = nullptr,
             int accumulate = 1, std::int64_t teacher_dim = 16) {
    Branch student = make_branch(recipe, true, objectives, generator);
    std::optional<Branch> teacher;
    if (kind != TeacherKind::None)
      teacher = make_branch(recipe, false, objectives, generator, teacher_dim);
    networks.emplace(kind, std::move(student), std::move(teacher));
    optimizer.emplace(optim::OptimizerOptions{}, networks->student().arena,
                      optim::param_groups(networks->student().arena.slices(), {}));
    step.emplace(
        *networks, objectives, /*gram=*/nullptr, *optimizer, curves,
        ranks != nullptr ? *ranks : alone, generator,
        StepOptions{.accumulate = accumulate, .pixels = {recipe.crops.mean, recipe.crops.std}});
  }
  torch::Tensor student() { return networks->student().arena.values().clone(); }
};

TEST(Step, AnObjectiveThatDoesNothingChangesNothing) {
  HandMade plain, both;
  plain.add_dino();
  both.add_dino();
  both.add(std::make_unique<Nothing>());
  plain.build();
  both.build();
  for (int i = 0; i < 3; ++i) {
    const auto batch = test::noise_batch(plain.recipe, 5 + static_cast<std::uint64_t>(i));
    const auto a = plain.step->run(batch, i), b = both.step->run(batch, i);
    auto figures = b.figures;
    EXPECT_EQ(figures.at("loss_nothing"), 0);
    figures.erase("loss_nothing");
    EXPECT_EQ(a.figures, figures);
  }
  EXPECT_TRUE(torch::equal(plain.student(), both.student()));
}

TEST(Step, AloneItMovesOnlyByDecay) {
  HandMade run;
  run.add(std::make_unique<Nothing>());
  run.build(TeacherKind::None);
  const torch::Tensor before = run.student();
  const auto report = run.step->run(test::noise_batch(run.recipe, 1), 0);
  EXPECT_FALSE(report.skipped);
  EXPECT_EQ(report.figures.at("gradient_norm"), 0);
  EXPECT_TRUE(torch::allclose(run.student(), before * (1 - 1e-2 * 0.1), 1e-6, 1e-7));
}

TEST(Step, WeightsScaleEachGradient) {
  const auto gradient = [](double dino, double pull) {
    HandMade run;
    if (dino >= 0) run.add_dino(dino);
    if (pull >= 0) run.add(std::make_unique<Pull>(), pull);
    run.build();
    const auto report = run.step->run(test::noise_batch(run.recipe, 3), 0);
    double total = 0;
    if (dino >= 0) total += dino * report.figures.at("loss_dino");
    if (pull >= 0) total += pull * report.figures.at("loss_pull");
    EXPECT_NEAR(report.figures.at("loss"), total, 1e-9);
    return run.networks->student().arena.gradients().clone();
  };
  const torch::Tensor both = gradient(0.5, 3);
  const torch::Tensor one = gradient(1, 0), other = gradient(0, 1);
  EXPECT_GT(one.norm().item<double>(), 0.01);
  EXPECT_GT(other.norm().item<double>(), 0.01);
  EXPECT_TRUE(torch::allclose(both, 0.5 * one + 3 * other, 1e-4, 1e-6));
}

/** Keeps what it is shown. */
class Onlooker final : public Objective {
 public:
  explicit Onlooker(bool masks) : masks_(masks) {}
  std::string_view name() const override { return "onlooker"; }
  objectives::Needs needs() const override {
    return {.student_tokens = model::Tokens::ClsAndPatches, .masks = masks_};
  }
  torch::Tensor loss(const Views& views, const Scheduled&) override {
    seen.push_back(views);
    return views.student_global.cls.square().mean();
  }
  std::vector<Views> seen;

 private:
  bool masks_;
};

TEST(Step, MasksReachTheStudentOfWhoAsksForThem) {
  const auto views_of = [](bool masks, int accumulate) {
    HandMade run;
    run.recipe.backbone = {.arch = "dinov2_vits14",
                           .patch_size = 4,
                           .dim = 16,
                           .depth = 2,
                           .heads = 2,
                           .drop_path = 0};
    auto onlooker = std::make_unique<Onlooker>(masks);
    Onlooker& kept = *onlooker;
    run.add(std::move(onlooker));
    run.build(TeacherKind::None, nullptr, accumulate);
    auto batch = test::noise_batch(run.recipe, 1);
    batch.masks = {.grid_height = 2, .grid_width = 2, .masked = std::vector<std::uint8_t>(32)};
    for (const int patch : {0, 4 * 3 + 2, 4 * 6 + 1})
      batch.masks.masked[static_cast<std::size_t>(patch)] = 1;
    run.step->run(batch, 0);
    return kept.seen;
  };
  const auto plain = views_of(false, 1), masked = views_of(true, 1), halves = views_of(true, 2);
  EXPECT_FALSE(plain[0].masks.defined());
  ASSERT_EQ(masked[0].masks.sizes(), (std::vector<std::int64_t>{8, 4}));
  ASSERT_EQ(masked[0].masks.sum().item<std::int64_t>(), 3);
  // Crop-major: images 2 and 3 of crop 0, then of crop 1.
  EXPECT_TRUE(
      torch::equal(halves[1].masks, masked[0].masks.index_select(0, torch::tensor({2, 3, 6, 7}))));
  const auto changed = (plain[0].student_global.cls - masked[0].student_global.cls).abs().amax(1);
  for (const int crop : {0, 1, 2, 3, 4, 5, 6, 7})
    EXPECT_EQ(changed[crop].item<float>() > 1e-6, crop == 0 || crop == 3 || crop == 6) << crop;
}

TEST(Step, NothingIsCommittedWhenTheLossIsNotFinite) {
  HandMade run;
  run.add(std::make_unique<Pull>());
  run.build(TeacherKind::None);
  EXPECT_EQ(run.step->run(test::noise_batch(run.recipe, 1), 0).skipped, false);
  auto poisoned = test::noise_batch(run.recipe, 2);
  poisoned.globals.data()[3] = std::nanf("");
  const torch::Tensor before = run.student();
  EXPECT_TRUE(run.step->run(poisoned, 1).skipped);
  EXPECT_TRUE(torch::equal(run.student(), before));
  EXPECT_EQ(run.objectives[0].objective->state()[0].tensor.item<float>(), 1);
}

/** A finite loss whose gradient is not: sqrt at 0. */
class Cliff final : public Objective {
 public:
  std::string_view name() const override { return "cliff"; }
  objectives::Needs needs() const override { return {}; }
  torch::Tensor loss(const Views& views, const Scheduled&) override {
    return (views.student_global.cls * 0).sum().sqrt();
  }
};

TEST(Step, IsSkippedForItsGradientAlone) {
  HandMade run;
  run.add(std::make_unique<Cliff>());
  run.build(TeacherKind::None);
  const torch::Tensor before = run.student();
  const auto report = run.step->run(test::noise_batch(run.recipe, 1), 0);
  EXPECT_EQ(report.figures.at("loss"), 0);
  EXPECT_FALSE(std::isfinite(report.figures.at("gradient_norm")));
  EXPECT_TRUE(report.skipped);
  EXPECT_TRUE(torch::equal(run.student(), before));
}

TEST(StudentTeacher, AFrozenTeacherOfAnotherSizeStays) {
  HandMade run;
  run.add(std::make_unique<Pull>());
  run.build(TeacherKind::Frozen, nullptr, 1, /*teacher_dim=*/24);
  const torch::Tensor teacher = run.networks->teacher().arena.values().clone();
  const torch::Tensor student = run.student();
  EXPECT_FALSE(run.networks->teacher().backbone->is_training());
  run.step->run(test::noise_batch(run.recipe, 1), 0);
  EXPECT_FALSE(torch::equal(run.student(), student));
  EXPECT_TRUE(torch::equal(run.networks->teacher().arena.values(), teacher));
  for (const auto& [name, tensor] : run.networks->state())
    EXPECT_TRUE(name.starts_with("student.")) << name << " is no state";
}

TEST(StudentTeacher, AnEmaTeacherHasTheStudentsParameters) {
  HandMade run;
  run.add_dino();
  EXPECT_THROW(run.build(TeacherKind::Ema, nullptr, 1, /*teacher_dim=*/24), Error);
}

TEST(StudentTeacher, AnEmaTeacherBeginsWithTheStudentsStatistics) {
  HandMade run;
  run.recipe.head.batch_norm = true;
  run.add_dino();
  Branch student = make_branch(run.recipe, true, run.objectives, run.generator);
  Branch teacher = make_branch(run.recipe, false, run.objectives, run.generator);
  for (const auto& item : student.module->named_buffers()) item.value().fill_(3);
  const StudentTeacher networks(TeacherKind::Ema, std::move(student), teacher);
  int compared = 0;
  for (const auto& item : teacher.module->named_buffers()) {
    EXPECT_TRUE((item.value() == 3).all().item<bool>()) << item.key();
    ++compared;
  }
  EXPECT_GT(compared, 3);
}

TEST(StudentTeacher, WithoutATeacherThereIsNone) {
  HandMade run;
  run.add(std::make_unique<Pull>());
  run.build(TeacherKind::None);
  EXPECT_THROW(run.networks->teacher(), Error);
}

TEST(MicroBatch, BytesAreNormalizedOnTheWay) {
  const auto r = test::step_recipe();
  data::CropBatch batch = test::noise_batch(r, 1);
  batch.globals = data::AlignedBuffer(batch.globals.size(), data::SampleType::U8);
  for (std::size_t i = 0; i < batch.globals.size(); ++i)
    batch.globals.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 7);
  const PixelScale scale{{0.4}, {0.2}};
  const torch::Tensor images = MicroBatch(batch, scale, torch::kCPU, 1, 2).globals();
  ASSERT_EQ(images.sizes(), (std::vector<std::int64_t>{4, 1, 8, 8}));
  // Crop-major: rows are crop 0 of images 2 and 3, then crop 1 of images 2 and 3.
  for (const auto& [row, sample] : {std::pair{0, 2}, {1, 3}, {2, 6}, {3, 7}}) {
    const auto byte = static_cast<std::uint8_t>((sample * 64 + 5) * 7);
    EXPECT_NEAR(images[row].flatten()[5].item<float>(), (byte / 255.0 - 0.4) / 0.2, 1e-5);
  }
}

/** Ranks that are threads of this process. */
class Threads {
 public:
  explicit Threads(int world) : world_(world), meet_(world) {}

  class Rank final : public parallel::Communicator {
   public:
    Rank(Threads& all, int rank) : all_(all), rank_(rank) {}
    int rank() const override { return rank_; }
    int world() const override { return all_.world_; }
    void sum(std::span<torch::Tensor> tensors) override {
      const torch::NoGradGuard no_grad;
      for (torch::Tensor& tensor : tensors) {
        {
          const std::lock_guard lock(all_.mutex_);
          all_.sum_ = all_.sum_.defined() ? all_.sum_ + tensor : tensor.clone();
        }
        barrier();
        tensor.copy_(all_.sum_);
        barrier();
        if (rank_ == 0) all_.sum_.reset();
        barrier();
      }
    }
    bool all(bool mine) override {
      torch::Tensor bad = torch::tensor(mine ? 0.0 : 1.0);
      sum({&bad, 1});
      return bad.item<double>() == 0;
    }
    void barrier() override { all_.meet_.arrive_and_wait(); }

   private:
    Threads& all_;
    int rank_;
  };

 private:
  int world_;
  std::barrier<> meet_;
  std::mutex mutex_;
  torch::Tensor sum_;
};

/** Images [first, first + count) of a batch. */
data::CropBatch part_of(const recipe::Recipe& r, const data::CropBatch& whole, int first,
                        int count) {
  recipe::Recipe smaller = r;
  smaller.train.batch_size = count;
  data::CropBatch part = test::noise_batch(smaller, 0);
  const auto copy = [&](const data::AlignedBuffer& from, data::AlignedBuffer& to, int views,
                        int size) {
    const auto pixels = static_cast<std::ptrdiff_t>(size * size);
    for (int v = 0; v < views; ++v)
      std::copy_n(from.data() + (v * whole.batch_size + first) * pixels, count * pixels,
                  to.data() + v * count * pixels);
  };
  copy(whole.globals, part.globals, 2, whole.global_size);
  copy(whole.locals, part.locals, whole.local_count, whole.local_size);
  return part;
}

/** Runs `body(rank, communicator)` on two ranks at once. */
void on_two_ranks(const std::function<void(int, parallel::Communicator&)>& body) {
  Threads threads(2);
  std::vector<std::jthread> running;
  for (int rank = 0; rank < 2; ++rank)
    running.emplace_back([&, rank] {
      Threads::Rank communicator(threads, rank);
      body(rank, communicator);
    });
}

TEST(Ranks, TwoWithHalfABatchEachTakeTheSameSteps) {
  recipe::Recipe r = test::step_recipe();
  r.backbone.drop_path = 0;  // its draws depend on the rank's own batch
  SslModel whole(r, model::Precision::Fp32, 10);
  std::vector<StepReport> expected;
  for (int i = 0; i < 3; ++i)
    expected.push_back(whole.step(test::noise_batch(r, 20 + static_cast<std::uint64_t>(i)), i));

  on_two_ranks([&](int rank, parallel::Communicator& ranks) {
    SslModel half(r, model::Precision::Fp32, 10, &ranks);
    for (int i = 0; i < 3; ++i) {
      const auto batch = test::noise_batch(r, 20 + static_cast<std::uint64_t>(i));
      const auto report = half.step(part_of(r, batch, 2 * rank, 2), i);
      for (const auto& [name, value] : expected[static_cast<std::size_t>(i)].figures)
        EXPECT_NEAR(report.figures.at(name), value, 1e-4 * (1 + std::abs(value))) << name;
    }
    const auto theirs = whole.state();
    const auto ours = half.state();
    for (std::size_t i = 0; i < ours.size(); ++i) {
      // Adam blows up the rounding noise of gradients that are 0, as a key's bias has.
      if (ours[i].name.ends_with("qkv.bias") || ours[i].name == "optimizer.steps") continue;
      EXPECT_TRUE(torch::allclose(ours[i].tensor, theirs[i].tensor, 1e-3, 2e-4)) << ours[i].name;
    }
  });
}

/** The other ranks of a run, one of which has met something that is not finite. */
class Dissent final : public parallel::Communicator {
 public:
  int rank() const override { return 0; }
  int world() const override { return 2; }
  void sum(std::span<torch::Tensor> tensors) override {
    for (torch::Tensor& tensor : tensors) tensor.mul_(2);
  }
  bool all(bool) override { return false; }
  void barrier() override {}
};

TEST(Ranks, AStepThatAnotherRankCannotTakeIsNotTaken) {
  Dissent others;
  HandMade run;
  run.add(std::make_unique<Pull>());
  run.build(TeacherKind::None, &others);
  const torch::Tensor before = run.student();
  const auto report = run.step->run(test::noise_batch(run.recipe, 1), 0);
  EXPECT_TRUE(std::isfinite(report.figures.at("gradient_norm")));
  EXPECT_TRUE(report.skipped);
  EXPECT_TRUE(torch::equal(run.student(), before));
  EXPECT_EQ(run.objectives[0].objective->state()[0].tensor.item<float>(), 0);
}

TEST(Ranks, OneThatIsNotFiniteStopsAll) {
  const recipe::Recipe r = test::step_recipe();
  on_two_ranks([&](int rank, parallel::Communicator& ranks) {
    SslModel half(r, model::Precision::Fp32, 10, &ranks);
    auto batch = part_of(r, test::noise_batch(r, 1), 2 * rank, 2);
    if (rank == 1) batch.globals.data()[0] = std::nanf("");
    const torch::Tensor before = half.student().arena.values().clone();
    EXPECT_TRUE(half.step(batch, 0).skipped) << rank;
    EXPECT_TRUE(torch::equal(half.student().arena.values(), before)) << rank;
  });
}

}  // namespace
}  // namespace dino::train
