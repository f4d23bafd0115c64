#include "provisioning/quorum_files.h"

#include <algorithm>
#include <filesystem>

#include "provisioning/context.h"
#include "vault/base/clock.h"
#include "vault/custody/action.h"
#include "vault/custody/lines.h"
#include "vault/custody/medium.h"
#include "vault/daemon/quorum_word.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kActionHead = "cardvault action ";

std::vector<std::string> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      out.push_back(path);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(path)) {
      // "._anna.approval", ".#anna.approval": systems and editors put them beside a file.
      if (entry.path().filename().string().starts_with('.')) continue;
      const auto ending = entry.path().extension();
      if (ending == ".action" || ending == ".approval") out.push_back(entry.path());
    }
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

QuorumFiles read_quorum_files(const std::vector<std::string>& paths) {
  QuorumFiles out;
  if (paths.empty()) return out;
  for (const std::string& path : files_of(paths)) {
    std::string text = custody::read_text_file(path);
    if (!text.starts_with(kActionHead)) {
      static_cast<void>(custody::parse_approval(path, text));
      out.approvals.push_back(std::move(text));
      continue;
    }
    if (!out.verb.empty()) {
      throw ToolError(ExitCode::kUsage, path +
                                            ": --approvals names a second action, and one "
                                            "command is one act");
    }
    out.verb = custody::parse_action(path, text).verb;
    out.action = std::move(text);
  }
  if (out.verb.empty()) {
    throw ToolError(ExitCode::kUsage,
                    "--approvals names no action: its file is in the folder that the command made "
                    "when it was run without --approvals");
  }
  return out;
}

void add_approvals(const QuorumFiles& files, const std::string& verb,
                   std::vector<std::pair<std::string, std::string>>& arguments) {
  if (files.verb != verb) return;
  arguments.emplace_back(daemon::kActionArgument, files.action);
  for (const std::string& one : files.approvals) {
    arguments.emplace_back(daemon::kApprovalArgument, one);
  }
}

ExitCode hand_out_action(const Context& context, const wire::AdminAnswer& answer) {
  const std::string& text = answer.rows.at(0).at(0);
  const custody::Action action = custody::parse_action("the vault's answer", text);
  if (!context.quorum.verb.empty()) {
    throw ToolError(ExitCode::kRefused, "these approvals are for " + context.quorum.verb +
                                            ", and this command takes some for " + action.verb);
  }
  if (context.format == Format::kJson) {
    render(context.out, context.format, answer);
  } else {
    context.out << text;
  }
  context.err << "cardvault: " << printable(answer.message) << ".\n";
  const std::string folder = action.verb + "-" + action.nonce.substr(0, 8);
  const std::string file = folder + "/" + action.verb + ".action";
  std::error_code error;
  int written = fs::create_directory(folder, error) ? custody::write_new_file(file, text) : EEXIST;
  if (error) written = error.value();
  if (written != 0) {
    context.err << "The action above could not be written to " << file << " ("
                << custody::explain_write(written)
                << "): save it there, or run this where you may write.\n";
  }
  context.err << (written == 0 ? "It is in " + file + "," : "It is") << " good until "
              << base::format_time(action.expires_ms)
              << ".\nEach custodian signs it:  cardvault approve --action " << file
              << " --key KEY\nThen run this command again, with  --approvals " << folder << '\n';
  return ExitCode::kWaits;
}

}  // namespace cardvault::provisioning
