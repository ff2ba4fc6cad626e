#include "graft/backbone/model_card.h"

#include <algorithm>

namespace graft {
namespace {

std::string accuracy_text(JsonReader reader) {
  const double top1 = reader.number("top1", 0, Range::between(0, 100));
  const std::string source = reader.string("source", "");
  reader.finish();
  if (top1 == 0) return "";
  std::string text = std::to_string(top1);
  return text.substr(0, text.find('.') + 2) + " % (" + source + ")";
}

}  // namespace

ModelCard read_model_card(const std::filesystem::path& path) {
  const Json json = read_json_file(path);
  std::vector<Problem> problems;
  JsonReader reader(json, "", problems);
  ModelCard card;
  card.name = reader.string("name", "");
  card.title = reader.string("title", card.name);
  card.file = reader.string("file", card.name + ".pt");
  card.sha256 = reader.string("sha256", "");
  card.input = read_input_spec(reader.object("input"), {});
  card.parameters = reader.integer("parameters", 0, Range::at_least(0));
  card.num_features = reader.integer("num_features", 0, Range::at_least(0));
  card.license = reader.string("license", "");
  card.accuracy = accuracy_text(reader.object("accuracy"));
  card.export_command = reader.string("export", "");
  reader.member("source");  // provenance, for people and scripts
  if (card.name != path.stem().string())
    reader.problem("name", "is '" + card.name + "'", "'" + path.stem().string() + "', the file's name");
  reader.finish();
  for (auto& problem : problems) problem.subject = "model card '" + path.string() + "' " + problem.subject;
  if (!problems.empty()) throw Error(problems);
  return card;
}

std::vector<ModelCard> read_model_cards(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<ModelCard> cards;
  for (const auto& path : paths) cards.push_back(read_model_card(path));
  return cards;
}

}  // namespace graft
