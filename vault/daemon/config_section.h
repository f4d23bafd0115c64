// A section of vault.toml: every key that is asked for is known, what remains is refused.
#pragma once

#include <toml++/toml.h>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cardvault::daemon {

// Reads one table and says where it is wrong: every refusal is a base::StartupError with file,
// line, key and what to write instead. `table` may be null: all keys then have their defaults.
class Section {
 public:
  Section(const toml::table* table, std::string name, const std::string& path)
      : table_(table), name_(std::move(name)), path_(path) {}

  [[noreturn]] void refuse(std::string_view key, const toml::node* node,
                           std::string_view what) const;
  [[nodiscard]] std::string text(std::string_view key, std::string fallback, bool required = false);
  [[nodiscard]] std::uint32_t number(std::string_view key, std::uint32_t fallback,
                                     std::uint32_t most, std::uint32_t least = 0);
  [[nodiscard]] bool flag(std::string_view key, bool fallback);
  [[nodiscard]] std::vector<std::string> texts(std::string_view key,
                                               std::vector<std::string> fallback);
  // The node itself, or null; the key is known from here on.
  [[nodiscard]] const toml::node* find(std::string_view key);
  // Call last.
  void refuse_unknown() const;

 private:
  const toml::table* table_;
  std::string name_;
  const std::string& path_;
  std::set<std::string> known_;
};

// The section `name` below `root`, null when there is none.
[[nodiscard]] const toml::table* sub_table(const toml::table& root, std::string_view name,
                                           const std::string& path);

}  // namespace cardvault::daemon
