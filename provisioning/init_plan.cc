#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "provisioning/exit_code.h"
#include "provisioning/init.h"
#include "provisioning/private_file.h"

namespace cardvault::provisioning {
namespace {

constexpr std::size_t kMaxLabel = 32;  // CK_TOKEN_INFO::label, PKCS#11 3.2

bool valid_name(const std::string& name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !name.empty() && name.size() <= 32 && name[0] != '-' && std::ranges::all_of(name, plain);
}

// "NAME=REST" in two; REST empty without an equals sign.
std::pair<std::string, std::string> split(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) return {text, ""};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

NewGate plan_gate(const std::string& text, std::int64_t daemon_uid) {
  const auto [name, user] = split(text);
  if (!valid_name(name)) {
    throw ToolError(ExitCode::kUsage,
                    "a gate's name is a-z, 0-9 and '-', at most 32 of them: \"" + name + "\"");
  }
  if (!user.empty()) return {name, account(user).uid};
  return {name, ::geteuid() == 0 ? account("cardvault-" + name).uid : daemon_uid};
}

NewOperator plan_operator(const std::string& text) {
  const auto [left, right] = split(text);
  if (right.empty()) return {account(left).uid, left};
  return {account(left).uid, right};
}

// weakly_canonical() alone leaves a relative path relative where nothing of it is there yet.
std::string whole_path(const std::string& path) {
  const auto whole = std::filesystem::weakly_canonical(std::filesystem::absolute(path));
  return (whole.has_filename() ? whole : whole.parent_path()).string();  // "DIR/" is DIR
}

}  // namespace

NewVault plan_vault(const InitOptions& options) {
  NewVault vault;
  vault.layout.dir = whole_path(options.dir);
  vault.layout.config_dir =
      options.config_dir.empty() ? vault.layout.dir : whole_path(options.config_dir);
  vault.layout.run_dir =
      options.run_dir.empty() ? vault.layout.dir + "/run" : whole_path(options.run_dir);
  if (options.label.empty() || options.label.size() > kMaxLabel) {
    throw ToolError(ExitCode::kUsage, "a token's label has 1 to 32 bytes");
  }
  vault.module = options.module;
  // SoftHSM's configuration has no quotes: it ends a folder's name there (softhsm2.conf(5)).
  if (options.module.find("softhsm") != std::string::npos &&
      vault.layout.dir.find_first_of("#=") != std::string::npos) {
    throw ToolError(ExitCode::kUsage, vault.layout.dir +
                                          ": SoftHSM can't keep a token in a folder "
                                          "whose name has # or =: name another");
  }
  vault.init_args = options.init_args;
  vault.label = options.label;
  const std::string user =
      options.daemon_user.empty() && ::geteuid() == 0 ? "cardvault" : options.daemon_user;
  vault.daemon_uid = user.empty() ? static_cast<std::int64_t>(::geteuid()) : account(user).uid;
  for (const std::string& gate : options.gates) {
    vault.gates.push_back(plan_gate(gate, vault.daemon_uid));
  }
  for (const std::string& one : options.operators) vault.operators.push_back(plan_operator(one));
  if (vault.operators.empty()) vault.operators.push_back({::getuid(), login_name()});
  return vault;
}

}  // namespace cardvault::provisioning
