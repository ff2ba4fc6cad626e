#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// The candidates nearest to `name` by edit distance, best first, at most `count`, none farther than half of its
/// length.
std::vector<std::string> nearest_names(std::string_view name, std::span<const std::string> candidates,
                                       std::size_t count = 1);

/// "did you mean 'a' or 'b'?" for the nearest candidates, empty when none is near.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates, std::size_t count = 1);

/// "a, b, c".
std::string join(std::span<const std::string> names, std::string_view separator = ", ");

/// The names of a table's rows, in its order.
template <typename Rows>
std::vector<std::string> names_of(const Rows& rows) {
  std::vector<std::string> names;
  for (const auto& row : rows) names.emplace_back(row.name);
  return names;
}

/// Whether a list has `name` in it.
template <typename List, typename Name>
bool contains(const List& list, const Name& name) {
  return std::ranges::find(list, name) != std::ranges::end(list);
}

/// Whether the dotted `path` is `module` or something inside it; "" is what everything is in.
bool is_within(std::string_view path, std::string_view module);

/// A cell of a CSV line: quoted where RFC 4180 asks for it.
std::string csv_cell(std::string_view text);

/// Whether `text` matches a glob in which `*` stands for any run of characters (dots included) and `?` for any one.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace graft
