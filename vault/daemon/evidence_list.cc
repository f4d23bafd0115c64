#include "vault/daemon/evidence_list.h"

#include <algorithm>
#include <array>
#include <set>

#include "vault/audit/sha256.h"
#include "vault/core/text_form.h"

namespace cardvault::daemon {
namespace {

constexpr std::size_t kMaxFiles = 1000;
constexpr std::size_t kMaxName = 100;  // of a ustar member
constexpr std::string_view kOpening = "file: ";

std::string_view cut_at(std::string_view& text, char end) {
  const auto at = text.find(end);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

bool digits(std::string_view text) {
  return !text.empty() && text.size() < 20 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool name(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '/';
  };
  if (text.empty() || text.size() > kMaxName || !std::ranges::all_of(text, plain)) return false;
  while (!text.empty()) {
    const std::string_view part = cut_at(text, '/');
    if (part.empty() || part.starts_with('.')) return false;
  }
  return true;
}

}  // namespace

std::optional<EvidenceList> check_evidence_list(std::string_view list) {
  EvidenceList checked;
  if (!list.ends_with('\n')) return std::nullopt;
  checked.digest = core::to_hex(audit::sha256(list));
  std::set<std::string_view> names;
  while (!list.empty()) {
    std::string_view line = cut_at(list, '\n');
    std::array<std::uint8_t, 32> hash{};
    if (!line.starts_with(kOpening)) return std::nullopt;
    line.remove_prefix(kOpening.size());
    if (!core::from_hex(cut_at(line, ' '), hash) || !digits(cut_at(line, ' ')) || !name(line) ||
        !names.insert(line).second || ++checked.files > kMaxFiles) {
      return std::nullopt;
    }
  }
  return checked;
}

}  // namespace cardvault::daemon
