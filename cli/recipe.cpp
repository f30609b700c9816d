// dino recipe: writes a recipe for a folder of images; lists and shows those that come with the
// program.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/folder_recipe.h"
#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/text.h"
#include "dino/recipe/built_in.h"

namespace dino::cli {
namespace {

struct RecipeCommand {
  std::string folder, out;
  double minutes = 30;
  bool force = false;
  RecipeFlags recipe;
  std::string name;  ///< of a built-in one
  const CLI::App *list = nullptr, *show = nullptr;
};

int run_recipe(const RecipeCommand& flags, Context& context) {
  if (flags.folder.empty())
    fail(ErrorKind::Usage,
         "[recipe] name a folder of images: dino recipe FOLDER; or see 'dino recipe list'");
  if (!flags.out.empty()) check_output_free(flags.out, flags.force);
  FolderChoice chosen = choose_for(flags.folder, flags.minutes, flags.recipe, {}, context);
  constexpr double kMeasured = 1;  // s
  const recipe::Speed speed = {
      .step = recipe::step_gflop(chosen.choice.recipe) / chosen.budget.gflops,
      .load = chosen.load_seconds(kMeasured)};
  const auto lines =
      chosen.fit(speed, "steps estimated, loading measured; dino train measures both");
  const std::string toml = recipe::commented_toml(chosen.choice, lines);
  const nlohmann::json document = {
      {"images", chosen.facts.images}, {"lines", lines}, {"out", flags.out}, {"recipe", toml}};
  if (flags.out.empty()) {
    print_result(context, document, toml);
    return kOk;
  }
  write_file_atomically(flags.out, toml);
  print_result(context, document,
               fmt::format("{}\n\nrecipe {}; train with: dino train --recipe {} --out DIR",
                           fmt::join(lines, "\n"), flags.out, flags.out));
  return kOk;
}

int run_list(Context& context) {
  nlohmann::json document = nlohmann::json::array();
  std::string text;
  for (const recipe::BuiltIn& built_in : recipe::built_ins()) {
    const auto loaded = recipe::load_recipe(built_in.name);
    document.push_back({{"name", built_in.name}, {"description", loaded.description}});
    text += fmt::format("{:<22} {}\n", built_in.name, loaded.description);
  }
  print_result(context, document, text);
  return kOk;
}

int print_recipe(const std::string& name, Context& context) {
  const recipe::BuiltIn found = recipe::find_built_in(name);
  if (found.toml.empty()) recipe::unknown_recipe(name);
  print_result(context, {{"name", found.name}, {"toml", found.toml}}, found.toml);
  return kOk;
}

int run(const RecipeCommand& flags, Context& context) {
  if (flags.list->parsed()) return run_list(context);
  if (flags.show->parsed()) return print_recipe(flags.name, context);
  return run_recipe(flags, context);
}

}  // namespace

void add_recipe(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<RecipeCommand>();
  // The command's own callback comes after that of its sub-commands.
  CLI::App* command =
      add_command(parent, context, "recipe",
                  "Write a recipe for a folder of images; 'list' and 'show' those of the program",
                  [flags, &context] { return run(*flags, context); });
  command->add_option("folder", flags->folder, "Images: folder, list, archive or array file");
  command->add_option("--minutes", flags->minutes, "Time that a training may take")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  command->add_option("--out", flags->out, "File to write (default: standard output)");
  command->add_flag("--force", flags->force, "Replace the file");
  add_set_flag(*command, flags->recipe);
  const auto nothing = [] { return static_cast<int>(kOk); };
  flags->list =
      add_command(*command, context, "list", "The recipes that come with the program", nothing);
  CLI::App* show = add_command(*command, context, "show", "The text of one of them", nothing);
  show->add_option("name", flags->name, "As 'dino recipe list' prints it")->required();
  flags->show = show;
}

}  // namespace dino::cli
