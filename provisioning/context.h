// What every command of the tool works with: the command line's globals, its streams, its vault.
#pragma once

#include <functional>
#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "provisioning/backend.h"
#include "provisioning/exit_code.h"
#include "provisioning/quorum_files.h"
#include "provisioning/render.h"

namespace cardvault::provisioning {

inline constexpr const char* kDefaultConfig = "/etc/cardvault/vault.toml";

// Data goes to `out`; everything a person reads beside it to `err`.
struct Context {
  std::string config = kDefaultConfig;
  Format format = Format::kTable;
  std::string operator_name = {};
  QuorumFiles quorum = {};  // of --approvals
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool err_is_terminal = false;
  // Opens the line to the vault of `config`; set by main, replaced by tests.
  std::function<std::unique_ptr<Backend>(const Context&)> open = {};
};

using Arguments = std::vector<std::pair<std::string, std::string>>;

// Runs one act and renders its answer; a message goes to stderr. `partial` as in Backend::run, by
// default a progress bar named after the verb, for answers with the columns done and total.
ExitCode act(const Context& context, const std::string& verb, Arguments arguments);

// The same on an open line, with bytes; returns the answer instead of rendering it.
[[nodiscard]] wire::AdminAnswer ask(const Context& context, Backend& backend,
                                    const std::string& verb, Arguments arguments,
                                    base::SecretBuffer blob = {});

// Renders a last answer: rows on `out`, its message on `err`.
ExitCode conclude(const Context& context, const wire::AdminAnswer& answer);

// One line from stdin, for what must not stand in a list of processes. Prompts on a terminal;
// throws ToolError(kUsage) when it is empty.
[[nodiscard]] base::SecretText read_line(const Context& context, const std::string& prompt);

// The login name of this process's real uid, or "uid-1000" where it has none.
[[nodiscard]] std::string login_name();

// A running vault over its admin socket, or a stopped one in this process. Throws StartupError with
// what to do.
[[nodiscard]] std::unique_ptr<Backend> open_vault(const Context& context);

}  // namespace cardvault::provisioning
