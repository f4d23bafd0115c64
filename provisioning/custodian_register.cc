#include "provisioning/custodian_register.h"

#include <algorithm>
#include <filesystem>

#include "provisioning/custodian_desk.h"
#include "provisioning/key_vault_line.h"
#include "provisioning/private_file.h"
#include "vault/custody/custodian_set.h"
#include "vault/custody/lines.h"
#include "vault/custody/medium.h"
#include "vault/daemon/config.h"

namespace cardvault::provisioning {

ExitCode draft_register(const Context& context, const RegisterDraft& options) {
  Arguments arguments{{"needed", std::to_string(options.needed)}};
  for (const std::string& one : options.custodians) {
    const auto equals = one.find('=');
    if (equals == std::string::npos) throw ToolError(ExitCode::kUsage, one + ": write NAME=KEY");
    arguments.emplace_back("custodian." + one.substr(0, equals), one.substr(equals + 1));
  }
  const auto answer = ask_apart(context, "custodians.draft", std::move(arguments));
  if (!answer.ok) return conclude(context, answer);
  const std::string& text = answer.rows.at(0).at(0);
  if (const int error = custody::write_new_file(options.out, text); error != 0) {
    throw ToolError(ExitCode::kLocal, options.out + ": " + custody::explain_write(error));
  }
  context.out << text;
  context.err << "cardvault: everybody in it signs it:  cardvault custodian sign " << options.out
              << " --key KEY\nThen:  cardvault custodian register " << options.out << '\n';
  return ExitCode::kDone;
}

ExitCode sign_register(const Context& context, const RegisterSigning& options) {
  auto set = custody::parse_custodian_set(options.path, custody::read_text_file(options.path));
  const std::string body = custody::set_body(set);
  const custody::Digest digest = custody::sha256(body);
  Passphrase passphrase(options.passphrase_fd);
  confirm(passphrase.terminal(),
          body + "\nSHA-256, to be compared by reading it aloud:\n" +
              custody::for_comparison(digest, "  "),
          digest, options.digest);
  const auto key = open_key(options.key, passphrase);
  const auto who = std::ranges::find_if(set.custodians, [&](const custody::Custodian& one) {
    return one.key.point == key->public_key().point;
  });
  if (who == set.custodians.end()) {
    throw ToolError(ExitCode::kRefused, options.path + ": this key is nobody's in it");
  }
  auto signature = key->sign(custody::signed_message("custodians", body));
  if (!signature) throw ToolError(ExitCode::kLocal, "the key did not sign");
  std::erase_if(set.signatures, [&](const custody::Signed& one) { return one.by == who->name; });
  set.signatures.push_back({who->name, std::move(*signature)});
  const std::string fresh = options.path + ".new";
  std::filesystem::remove(fresh);
  create_file(fresh, custody::encode(set), 0644, {});
  std::filesystem::rename(fresh, options.path);
  context.err << "cardvault: " << who->name << " signed " << options.path << '\n';
  return ExitCode::kDone;
}

namespace {

// Auditors need the register of the time of an act: an earlier one stays, under its digest.
void keep_earlier(const std::string& path) {
  if (!std::filesystem::exists(path)) return;
  const std::string text = custody::read_text_file(path);
  const auto digest = custody::sha256(custody::set_body(custody::parse_custodian_set(path, text)));
  const std::string kept = path + "." + custody::hex(digest).substr(0, 16);
  if (!std::filesystem::exists(kept)) create_file(kept, text, 0644, {});
}

// A backup takes the register from the custodians' papers: its restore asks those who are in it. So
// do auditors (`--custodians`).
void keep_paper(const Context& context, const std::string& text) {
  const std::string folder = daemon::read_config(context.config).unseal.custody_dir;
  if (!std::filesystem::exists(folder)) {  // no ceremony was held
    context.out << text;
    context.err << "cardvault: keep the register that is printed, with the vault's own signature: "
                   "auditors ask for it\n";
    return;
  }
  const std::string path = folder + "/custodians";
  try {
    std::error_code ignored;
    keep_earlier(path);
    std::filesystem::remove(path + ".new", ignored);
    create_file(path + ".new", text, 0644, {});
    std::filesystem::rename(path + ".new", path);
  } catch (const std::exception& problem) {
    context.out << text;
    context.err << "cardvault: " << path << " is still the register of before (" << problem.what()
                << "): put what is printed here in its place, or a restore asks the custodians of "
                   "before\n";
  }
}

}  // namespace

ExitCode register_custodians(const Context& context, const std::string& path) {
  const std::string text = custody::read_text_file(path);
  const auto set = custody::parse_custodian_set(path, text);
  const auto bytes = base::as_bytes(text);
  auto answer = ask_apart(context, "custodians.register",
                          {{"digest", custody::hex(custody::sha256(custody::set_body(set)))}},
                          base::SecretBuffer(bytes.begin(), bytes.end()));
  if (!answer.ok) return conclude(context, answer);
  const std::string registered = answer.rows.at(0).at(0);
  answer.columns.clear();
  answer.rows.clear();
  const ExitCode code = conclude(context, answer);
  keep_paper(context, registered);
  return code;
}

}  // namespace cardvault::provisioning
