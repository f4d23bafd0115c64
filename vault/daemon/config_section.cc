#include "vault/daemon/config_section.h"

#include <sstream>

#include "vault/base/result.h"

namespace cardvault::daemon {

using base::StartupError;

void Section::refuse(std::string_view key, const toml::node* node, std::string_view what) const {
  std::ostringstream text;
  text << path_;
  if (node != nullptr && node->source().begin) text << ":" << node->source().begin.line;
  text << ": [" << name_ << "] " << key << ": " << what;
  throw StartupError(text.str());
}

std::string Section::text(std::string_view key, std::string fallback, bool required) {
  const toml::node* node = find(key);
  if (node == nullptr) {
    if (required) refuse(key, table_, "is missing");
    return fallback;
  }
  if (const auto value = node->value<std::string>(); value && node->is_string()) return *value;
  refuse(key, node, "must be a string");
}

std::uint32_t Section::number(std::string_view key, std::uint32_t fallback, std::uint32_t most,
                              std::uint32_t least) {
  const toml::node* node = find(key);
  if (node == nullptr) return fallback;
  const auto value = node->value<std::int64_t>();
  if (!node->is_integer() || !value || *value < least || *value > most) {
    refuse(key, node,
           "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return static_cast<std::uint32_t>(*value);
}

bool Section::flag(std::string_view key, bool fallback) {
  const toml::node* node = find(key);
  if (node == nullptr) return fallback;
  if (!node->is_boolean()) refuse(key, node, "must be true or false");
  return *node->value<bool>();
}

std::vector<std::string> Section::texts(std::string_view key, std::vector<std::string> fallback) {
  const toml::node* node = find(key);
  if (node == nullptr) return fallback;
  std::vector<std::string> out;
  if (!node->is_array()) refuse(key, node, "must be a list of strings");
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_string()) refuse(key, node, "must be a list of strings");
    out.push_back(*item.value<std::string>());
  }
  return out;
}

const toml::node* Section::find(std::string_view key) {
  known_.insert(std::string(key));
  return table_ == nullptr ? nullptr : table_->get(key);
}

void Section::refuse_unknown() const {
  if (table_ == nullptr) return;
  for (const auto& [key, node] : *table_) {
    if (!known_.contains(std::string(key.str()))) {
      refuse(key.str(), &node, "is not a known key (see vault.toml(5))");
    }
  }
}

const toml::table* sub_table(const toml::table& root, std::string_view name,
                             const std::string& path) {
  const toml::node* node = root.get(name);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) throw StartupError(path + ": " + std::string(name) + " must be a section");
  return node->as_table();
}

}  // namespace cardvault::daemon
