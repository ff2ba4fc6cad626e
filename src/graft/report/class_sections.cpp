#include <algorithm>
#include <sstream>

#include "graft/core/error.h"
#include "graft/data/activations.h"
#include "graft/image/decode.h"
#include "graft/image/encode.h"
#include "graft/image/preprocess.h"
#include "graft/report/html.h"
#include "graft/report/sections.h"

namespace graft {
namespace {

using Matrix = std::vector<std::vector<std::int64_t>>;

std::string matrix_table(const Matrix& confusion, const std::vector<std::string>& classes) {
  std::ostringstream out;
  out << "<div class=\"wide\"><table class=\"confusion\"><thead><tr><th>true \\ taken for</th>";
  for (const auto& name : classes) out << "<th>" << escape_html(name) << "</th>";
  out << "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < classes.size(); ++i) {
    std::int64_t photos = 0;
    for (const auto count : confusion[i]) photos += count;
    out << "<tr><th scope=\"row\">" << escape_html(classes[i]) << "</th>";
    for (std::size_t j = 0; j < classes.size(); ++j) {
      const double part = photos > 0 ? static_cast<double>(confusion[i][j]) / static_cast<double>(photos) : 0;
      out << "<td class=\"" << (i == j ? "right" : "wrong") << (part > 0.55 ? " strong" : "")
          << "\" style=\"--part:" << fixed(part, 3) << "\" title=\""
          << escape_html(classes[i] + " taken for " + classes[j]) << ": " << confusion[i][j] << " of " << photos
          << "\">" << confusion[i][j] << "</td>";
    }
    out << "</tr>\n";
  }
  out << "</tbody></table></div>\n";
  return out.str();
}

/// The pairs of classes that are confused most often.
std::string pairs_table(const Matrix& confusion, const std::vector<std::string>& classes) {
  constexpr std::size_t kPairs = 30;
  struct Pair {
    std::int64_t photos;
    std::size_t truth, taken_for;
  };
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < classes.size(); ++i)
    for (std::size_t j = 0; j < classes.size(); ++j)
      if (i != j && confusion[i][j] > 0) pairs.push_back({confusion[i][j], i, j});
  std::ranges::stable_sort(pairs, std::greater<>(), &Pair::photos);
  pairs.resize(std::min(pairs.size(), kPairs));
  std::ostringstream out;
  out << "<table><thead><tr><th>class</th><th>taken for</th><th class=\"number\">photos</th></tr></thead><tbody>\n";
  for (const auto& pair : pairs)
    out << "<tr><td>" << escape_html(classes[pair.truth]) << "</td><td>" << escape_html(classes[pair.taken_for])
        << "</td><td class=\"number\">" << pair.photos << "</td></tr>\n";
  out << "</tbody></table>\n";
  return out.str();
}

/// A photo fitted into a small square as a data: address, or nothing where it can no longer be read.
std::string thumbnail(const std::filesystem::path& path) {
  constexpr int kSide = 160, kQuality = 75;
  try {
    const at::Tensor photo = decode_image_file(path, {.target = kSide});
    const auto height = static_cast<int>(photo.size(0)), width = static_cast<int>(photo.size(1));
    const auto fitted = [&](int side) { return std::max(1, kSide * side / std::max(height, width)); };
    const at::Tensor small = resize_image(photo, fitted(height), fitted(width), Interpolation::kBilinear);
    return "data:image/jpeg;base64," + base64(encode_jpeg(small, kQuality));
  } catch (const Error&) {
    return "";
  }
}

std::string figure_of(const JudgedPhoto& photo) {
  const std::string image = thumbnail(photo.path), name = photo.path.filename().string();
  std::string out = "<figure class=\"photo\">";
  out += image.empty() ? "<div class=\"gone\">no longer readable</div>"
                       : "<img alt=\"" + escape_html(name) + "\" src=\"" + image + "\">";
  out += "<figcaption><b>" + escape_html(photo.label) + "</b>";
  if (photo.label != photo.predicted) out += "<br>taken for <b>" + escape_html(photo.predicted) + "</b>";
  if (!photo.certainty.empty()) out += " " + photo.certainty;
  return out + "<br><small>" + escape_html(name) + "</small></figcaption></figure>\n";
}

}  // namespace

std::string confusion_section(const RunResults& results) {
  constexpr std::size_t kMostClasses = 20;
  const Json& val = results.metrics.at("best").at("val");
  if (!val.contains("confusion")) return "";
  const auto classes = val.at("classes").get<std::vector<std::string>>();
  const auto confusion = val.at("confusion").get<Matrix>();
  const bool whole = classes.size() <= kMostClasses;
  return std::string("<section><h2>") + (whole ? "Confusion matrix" : "What is confused most often") + "</h2>\n" +
         (whole ? matrix_table(confusion, classes) : pairs_table(confusion, classes)) + "</section>\n";
}

std::string classes_section(const RunResults& results) {
  auto classes = results.metrics.at("best").at("val").value("per_class", Json::array()).get<std::vector<Json>>();
  if (classes.empty()) return "";
  std::ranges::stable_sort(classes, {}, [](const Json& one) { return one.at("f1").get<double>(); });
  std::ostringstream out;
  out << "<section><h2>Classes, the hardest first</h2>\n<div class=\"wide\"><table><thead><tr><th>class</th>"
         "<th class=\"number\">photos</th><th class=\"number\">precision</th><th class=\"number\">recall</th>"
         "<th class=\"number\">F1</th><th></th></tr></thead><tbody>\n";
  for (const auto& one : classes) {
    const auto f1 = one.at("f1").get<double>();
    out << "<tr><td>" << escape_html(one.at("class").get<std::string>()) << "</td><td class=\"number\">"
        << one.at("support") << "</td><td class=\"number\">" << percent(one.at("precision").get<double>())
        << "</td><td class=\"number\">" << percent(one.at("recall").get<double>()) << "</td><td class=\"number\">"
        << fixed(f1, 3) << "</td><td class=\"bar\"><i style=\"width:" << fixed(100 * f1, 1) << "%\"></i></td></tr>\n";
  }
  out << "</tbody></table></div></section>\n";
  return out.str();
}

std::string photos_section(const RunResults& results) {
  const bool wrong = !results.photos.empty() && results.photos.front().label != results.photos.front().predicted;
  std::string out = std::string("<section><h2>") +
                    (wrong ? "Most wrong validation photos" : "No validation photo is wrong; the least certain") +
                    "</h2>\n<div class=\"photos\">\n";
  for (const auto& photo : results.photos) out += figure_of(photo);
  return out + "</div></section>\n";
}

}  // namespace graft
