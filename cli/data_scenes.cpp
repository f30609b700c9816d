// dino data scenes: composed pictures in which the class of every pixel is known.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "dino/base/cores.h"
#include "dino/data/scenes/write_scenes.h"

namespace dino::cli {
namespace {

struct ScenesFlags {
  std::string out;
  data::SceneOptions options;
};

/** Debian's packages tuxpaint-stamps-default and openclipart-png. */
constexpr const char* kUsualSources[] = {"/usr/share/tuxpaint/stamps",
                                         "/usr/share/openclipart/png"};

std::vector<std::string> usual_sources() {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const char* folder : kUsualSources)
    if (std::filesystem::is_directory(folder, ignored)) found.emplace_back(folder);
  return found;
}

nlohmann::json document_of(const ScenesFlags& flags, const data::SceneReport& report) {
  nlohmann::json document = data::counts_of(report);
  document["out"] = flags.out;
  document["finished"] = report.finished;
  document["left_out"] = data::left_out(report.found);
  document["first_unreadable"] = report.found.first_unreadable;
  return document;
}

std::string text_of(const ScenesFlags& flags, const data::SceneReport& report) {
  if (!report.finished) return "stopped; the same command begins again\n";
  const data::ObjectCounts& found = report.found;
  std::string text =
      fmt::format("{}: {} scenes to train, {} to test, {:.1f} objects each, {} classes\n",
                  flags.out, report.scenes[0], report.scenes[1],
                  static_cast<double>(report.instances) /
                      static_cast<double>(report.scenes[0] + report.scenes[1]),
                  report.classes);
  text += fmt::format("  objects: {} to train, {} to test, none in both\n", report.objects[0],
                      report.objects[1]);
  text += fmt::format(
      "  left out of {} images: {} opaque, {} small, {} unreadable, {} that occur twice, {} in no "
      "folder, {} of other classes, {} of small classes\n",
      found.images, found.opaque, found.small, found.unreadable, found.duplicates,
      found.without_class, found.of_other_classes, found.of_small_classes);
  for (const std::string& reason : found.first_unreadable)
    text += fmt::format("  unreadable: {}\n", reason);
  if (report.unreadable_photographs > 0)
    text += fmt::format("  {} scenes have a drawn background for an unreadable photograph\n",
                        report.unreadable_photographs);
  text += fmt::format("  data.train = \"{}/train/images\"\n", flags.out);
  return text;
}

int run_scenes(const ScenesFlags& flags, Context& context) {
  data::SceneOptions options = flags.options;
  if (options.objects.sources.empty()) options.objects.sources = usual_sources();
  ThreadPool pool(pool_workers(context.threads));
  const InterruptGuard interrupt([] {});
  bool shown = false;
  const data::SceneReport report = data::write_scenes(
      options, flags.out, pool,
      [&](std::int64_t done) {
        if (!context.console.is_terminal() || done % 16 != 0) return;
        shown = true;
        context.console.progress(fmt::format("{} of {} scenes", done, options.count));
      },
      interrupt.token());
  if (shown) context.console.end_progress();
  print_result(context, document_of(flags, report), text_of(flags, report));
  return report.finished ? kOk : kInterrupted;
}

/** Adds a flag of two values. */
template <typename T>
void add_range(CLI::App& command, const std::string& name, const std::string& help,
               const std::string& type, std::array<T, 2>& range) {
  command
      .add_option_function<std::vector<T>>(
          name,
          [&range](const std::vector<T>& values) {
            range = {values[0], values[1]};
          },
          help)
      ->expected(2)
      ->type_name(type)
      ->default_str(fmt::format("{} {}", range[0], range[1]));
}

/** The flags that say which images become objects. */
void add_object_flags(CLI::App& command, data::ObjectOptions& objects) {
  command
      .add_option("--sources", objects.sources,
                  "Folders of images with transparency, which become objects (default: Debian's "
                  "tuxpaint-stamps-default and openclipart-png, if installed)")
      ->expected(1, -1);
  command.add_option("--classes", objects.classes, "Only objects of these classes (default: all)")
      ->expected(1, -1);
  command
      .add_option("--class-depth", objects.class_depth,
                  "How many folders below a source name the class")
      ->capture_default_str();
  command
      .add_option("--least-objects", objects.least_objects,
                  "Classes with fewer objects are left out")
      ->capture_default_str();
  command
      .add_option("--test-share", objects.test_share,
                  "Share of the objects, and of the scenes, that is for the test")
      ->capture_default_str();
}

}  // namespace

void add_data_scenes(CLI::App& group, Context& context) {
  auto flags = std::make_shared<ScenesFlags>();
  CLI::App* command = add_command(
      group, context, "scenes", "Compose pictures of several objects with the class of every pixel",
      [flags, &context] { return run_scenes(*flags, context); });
  data::ComposeOptions& compose = flags->options.compose;
  command->add_option("out", flags->out, "Folder for the scenes")->required();
  command->add_option("--count", flags->options.count, "Scenes, train and test together")
      ->capture_default_str();
  command->add_option("--size", compose.size, "Side of the scenes, px")->capture_default_str();
  add_range(*command, "--objects", "Fewest and most objects per scene", "MIN MAX", compose.objects);
  add_range(*command, "--scale", "Long side of an object, as a share of the scene's", "LOW HIGH",
            compose.scale);
  command
      ->add_option("--turn", compose.turn_degrees,
                   "Objects are turned by up to so many degrees to either side")
      ->capture_default_str();
  add_object_flags(*command, flags->options.objects);
  command->add_option("--photographs", flags->options.photographs,
                      "Folder of images for half of the backgrounds (default: all are drawn)");
  command->add_option("--seed", compose.seed, "Of all that is drawn")->capture_default_str();
}

}  // namespace dino::cli
