#include "provisioning/in_process_backend.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "provisioning/context.h"
#include "vault/sandbox/process.h"

namespace cardvault::provisioning {
namespace {

std::string operator_name_of(const daemon::Config& config) {
  const uid_t uid = ::getuid();
  if (config.operators.empty()) return login_name();
  const auto known = std::ranges::find(config.operators, uid, &daemon::Operator::uid);
  if (known != config.operators.end()) return known->name;
  throw ToolError(
      ExitCode::kRefused,
      "uid " + std::to_string(uid) + " is no operator of this vault: add it to [admin] operators");
}

void become_owner_of(const std::string& data_dir) {
  struct stat status{};
  if (::stat(data_dir.c_str(), &status) != 0) {
    throw ToolError(ExitCode::kLocal, data_dir + ": " + std::strerror(errno));
  }
  if (::geteuid() != 0) return;
  if (::setgroups(0, nullptr) != 0 ||
      ::setresgid(status.st_gid, status.st_gid, status.st_gid) != 0 ||
      ::setresuid(status.st_uid, status.st_uid, status.st_uid) != 0) {
    throw ToolError(ExitCode::kLocal, std::string("cannot become the owner of ") + data_dir + ": " +
                                          std::strerror(errno));
  }
}

}  // namespace

InProcessBackend::InProcessBackend(daemon::Config config, std::string operator_name)
    : operator_name_(std::move(operator_name)),
      vault_(std::move(config)),
      service_(vault_, {.reload = [this](core::Event asked) { return reload(std::move(asked)); },
                        .seal = [] {}}) {}

std::expected<std::string, std::string> InProcessBackend::reload(core::Event asked) {
  if (!vault_.record(std::move(asked))) {
    return std::unexpected("the reload can't be recorded: run `cardvault doctor`");
  }
  return "no vault runs: it reads its files when it starts";
}

std::unique_ptr<InProcessBackend> InProcessBackend::open(const std::string& config_path) {
  daemon::Config config = daemon::read_config(config_path);
  if (config.unseal.custodians) {
    throw ToolError(ExitCode::kUnreachable,
                    "no vault runs, and this one's PIN is with its custodians: start it, then "
                    "`cardvault unseal`");
  }
  std::string operator_name = operator_name_of(config);
  become_owner_of(config.data_dir);
  sandbox::harden_process();
  return std::unique_ptr<InProcessBackend>(
      new InProcessBackend(std::move(config), std::move(operator_name)));
}

wire::AdminAnswer InProcessBackend::run(wire::AdminRequest request, const Partial& partial) {
  const bool follow =
      std::ranges::find(request.arguments, std::pair<std::string, std::string>("follow", "true")) !=
      request.arguments.end();
  if (follow) {
    throw ToolError(ExitCode::kUnreachable, "no vault runs: there is nothing to follow");
  }
  return service_.run(request, operator_name_, [&partial](const wire::AdminAnswer& answer) {
    partial(answer);
    return true;
  });
}

}  // namespace cardvault::provisioning
