// Names as they stand in arguments and answers: separated by commas.
#pragma once

#include <sstream>
#include <string>
#include <vector>

namespace cardvault::daemon {

// Empty names are left out.
[[nodiscard]] inline std::vector<std::string> split_names(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) {
    if (!part.empty()) out.push_back(part);
  }
  return out;
}

[[nodiscard]] inline std::string join_names(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ",") + part;
  return out;
}

}  // namespace cardvault::daemon
