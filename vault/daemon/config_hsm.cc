#include "vault/daemon/config_hsm.h"

#include "vault/daemon/config_section.h"

namespace cardvault::daemon {
namespace {

// A URI, or a list of them: the first token's, and those of tokens of the same module.
std::vector<std::string> read_uris(Section& hsm) {
  const toml::node* token = hsm.find("token");
  if (token == nullptr || !token->is_array()) return {hsm.text("token", "", true)};
  auto uris = hsm.texts("token", {});
  if (uris.empty()) hsm.refuse("token", token, "names at least one token");
  return uris;
}

}  // namespace

std::vector<hsm::TokenConfig> read_hsm(const toml::table& root, const std::string& path) {
  Section hsm(sub_table(root, "hsm", path), "hsm", path);
  hsm::TokenConfig first;
  first.module = hsm.text("module", "", true);
  first.init_args = hsm.text("init_args", "");
  const auto uris = read_uris(hsm);
  first.softhsm_conf = hsm.text("softhsm_conf", "");
  first.sessions = hsm.number("sessions", 1, 256);
  first.call_timeout_ms = hsm.number("call_timeout_ms", 5000, 600'000);
  first.session_copies = hsm.flag("session_copies", true);
  first.cbc_hmac = hsm.flag("cbc_hmac", false);
  const toml::node* standbys = hsm.find("standby");
  hsm.refuse_unknown();
  std::vector<hsm::TokenConfig> tokens;
  for (const std::string& uri : uris) tokens.emplace_back(first).token_uri = uri;
  if (standbys == nullptr) return tokens;
  if (!standbys->is_array_of_tables()) {
    hsm.refuse("standby", standbys, "must be written as [[hsm.standby]]");
  }
  for (const toml::node& node : *standbys->as_array()) {
    Section standby(node.as_table(), "hsm.standby", path);
    hsm::TokenConfig& one = tokens.emplace_back(first);
    one.token_uri = standby.text("token", "", true);
    one.module = standby.text("module", first.module);
    // What is said of the first token's module holds for no other one.
    const bool same = one.module == first.module;
    one.init_args = standby.text("init_args", same ? first.init_args : "");
    one.softhsm_conf = standby.text("softhsm_conf", same ? first.softhsm_conf : "");
    const bool softhsm = one.module.find("softhsm") != std::string::npos;
    // One that isn't told reads what the other was told (SOFTHSM2_CONF), and is the same token.
    if (!same && softhsm &&
        (first.softhsm_conf.empty() || one.softhsm_conf.empty() ||
         one.softhsm_conf == first.softhsm_conf)) {
      standby.refuse("softhsm_conf", standby.find("softhsm_conf"),
                     "must be given, in [hsm] too, and be another file: else both are one token");
    }
    standby.refuse_unknown();
  }
  return tokens;
}

}  // namespace cardvault::daemon
