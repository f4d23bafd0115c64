#include "provisioning/rehearsal.h"

#include <algorithm>
#include <filesystem>

#include "provisioning/custody/share_file.h"
#include "vault/custody/lines.h"
#include "vault/custody/share_register.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

bool is_file_of(const std::string& path, const custody::KnownShare& share) {
  try {
    const auto file = custody::parse_share_file(path, custody::read_text_file(path));
    return file.label == share.label && file.digest == share.digest;
  } catch (const base::StartupError&) {
    return false;  // not there, or something else
  }
}

}  // namespace

std::vector<std::string> remove_share_files(const custody::Transcript& rehearsal) {
  std::vector<std::string> missing;
  const auto plan = custody::parse_plan("the rehearsal's plan", rehearsal.head.plan);
  const custody::ShareRegister shares(rehearsal);
  for (const custody::KnownShare& share : shares.all()) {
    const auto who = std::ranges::find(plan.custodians, share.custodian,
                                       [](const auto& one) { return one.custodian.name; });
    if (who == plan.custodians.end() || who->delivery != custody::Delivery::kMedium) continue;
    const std::string name = custody::share_file_name(share.label);
    const std::string path = who->medium + "/" + name;
    if (is_file_of(path, share)) {
      fs::remove(path);
    } else if (share.confirmed) {
      missing.push_back(name);
    }
  }
  return missing;
}

void end_other_rehearsal(const Context& context, const custody::Plan& plan,
                         const std::string& stage) {
  const std::string path = stage + "/transcript";
  if (fs::exists(path)) {
    try {
      const auto before = custody::TranscriptWriter::resume(path);
      if (before.so_far().head.plan == plan.text) return;
      context.err << "cardvault: a rehearsal of another plan was broken off here, of the vault "
                  << before.so_far().head.vault
                  << ". Its token and its files on media go; destroy its shares on paper.\n";
      for (const std::string& name : remove_share_files(before.so_far())) {
        context.err << "cardvault: not on its medium, destroy it: " << name << '\n';
      }
    } catch (const base::StartupError& problem) {
      throw ToolError(ExitCode::kLocal, std::string(problem.what()) +
                                            ". Where no other rehearsal is at work, move " + stage +
                                            " away to begin anew");
    }
  }
  fs::remove_all(stage);
}

}  // namespace cardvault::provisioning
