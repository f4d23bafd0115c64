#include "provisioning/plan_here.h"

#include <unistd.h>

#include <filesystem>

#include "provisioning/exit_code.h"
#include "provisioning/init.h"

namespace cardvault::provisioning {

std::vector<std::string> missing_here(const custody::Plan& plan) {
  std::vector<std::string> out;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(plan.module, ignored)) {
    out.push_back("[token]: no module " + plan.module +
                  ": install it, or name the one that is there");
  }
  // One thing at a time, so that all that is missing is named.
  const auto attempt = [&](const char* key, auto change) {
    InitOptions options;
    options.dir = "/";
    options.label = plan.label;
    options.daemon_user = std::to_string(::geteuid());
    options.operators = {options.daemon_user};
    change(options);
    try {
      static_cast<void>(plan_vault(options));
    } catch (const ToolError& problem) {
      out.push_back("[vault]: " + std::string(key) + ": " + problem.what());
    }
  };
  attempt("daemon_user", [&](InitOptions& options) { options.daemon_user = plan.daemon_user; });
  for (const std::string& gate : plan.gates) {
    attempt("gates", [&](InitOptions& options) { options.gates = {gate}; });
  }
  for (const std::string& one : plan.operators) {
    attempt("operators", [&](InitOptions& options) { options.operators = {one}; });
  }
  return out;
}

}  // namespace cardvault::provisioning
