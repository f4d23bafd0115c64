#include "provisioning/key_token_folder.h"

#include <filesystem>

#include "hsm/softhsm_conf.h"
#include "provisioning/exit_code.h"

namespace cardvault::provisioning {

std::string token_folder(const hsm::TokenConfig& config) {
  if (config.module.find("softhsm") == std::string::npos) return "";
  const std::string conf = hsm::softhsm_conf_of(config);
  const std::string folder = hsm::folder_of_softhsm_conf(conf);
  if (folder.empty()) {
    throw ToolError(ExitCode::kLocal, conf + " names no directories.tokendir: correct it, or " +
                                          "[hsm] softhsm_conf");
  }
  std::error_code missing;
  const auto real = std::filesystem::canonical(folder, missing);
  if (missing) throw ToolError(ExitCode::kLocal, folder + ": " + missing.message());
  return real.string();
}

std::string writable_init_args(const std::string& init_args) {
  constexpr std::string_view kFlag = "readOnly";
  std::string out = init_args;
  const auto at = out.find(kFlag);
  if (at == std::string::npos) return out;
  const bool first = at == 0 || out[at - 1] != ',';
  if (!first) {
    out.erase(at - 1, kFlag.size() + 1);
  } else {
    const bool more = at + kFlag.size() < out.size() && out[at + kFlag.size()] == ',';
    out.erase(at, kFlag.size() + (more ? 1 : 0));
  }
  // An empty value without quotes would swallow what follows.
  const auto empty = out.find("flags= ");
  if (empty != std::string::npos) out.insert(empty + 6, "''");
  if (out.ends_with("flags=")) out += "''";
  return out;
}

}  // namespace cardvault::provisioning
