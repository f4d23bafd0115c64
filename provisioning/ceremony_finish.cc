// The end of a ceremony: its token is tried, everybody signs, the vault's files go to their places.
#include <algorithm>
#include <filesystem>

#include "provisioning/ceremony_run.h"
#include "provisioning/config_file.h"
#include "provisioning/custody/transcript_check.h"
#include "provisioning/init_stage.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/private_file.h"
#include "provisioning/rehearsal.h"
#include "vault/audit/checkpoint.h"
#include "vault/base/check.h"
#include "vault/custody/custodian_set.h"
#include "vault/custody/lines.h"
#include "vault/custody/medium.h"
#include "vault/daemon/bounds.h"
#include "vault/daemon/quorum_word.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
constexpr const char* kAudit = "audit-sign";

// Whole or not at all, over what was there.
void replace_file(const std::string& path, const std::string& text) {
  fs::remove(path + ".new");
  create_file(path + ".new", text, 0644, {});
  fs::rename(path + ".new", path);
  sync_directory(fs::path(path).parent_path());
}

bool signed_by(const std::vector<custody::Signed>& signatures, const std::string& name) {
  return std::ranges::find(signatures, name, &custody::Signed::by) != signatures.end();
}

core::Event event_of(const custody::Entry& entry, const std::string& operator_name) {
  core::Event event;
  event.time_ms = entry.time_ms;
  const std::string custodian = entry.get("custodian");
  event.actor = custodian.empty() ? "operator:" + operator_name : "custodian:" + custodian;
  event.operation = "ceremony." + entry.verb;
  event.gate = "admin";
  event.resource = entry.get("label").empty() ? entry.get("secret") : entry.get("label");
  for (const auto& [key, value] : entry.fields) {
    const bool said = key == "custodian" || key == "label" || key == "secret";
    if (!said && key != "signature" && key != "uri" && key != "module") {
      event.details.emplace_back(key, value);
    }
  }
  return event;
}

}  // namespace

void Ceremony::try_token() {
  if (done("audit-key")) return;
  step("the token is tried the way the daemon uses it");
  const auto tried = token_.use(uri(), user_pin(), {});
  journal_->add("token-tried", {{"manufacturer", tried.manufacturer},
                                {"model", tried.model},
                                {"serial", tried.serial},
                                {"hardware", tried.hardware ? "yes" : "no"}});
  if (!tried.hardware) terminal_.say("It is not a secure cryptographic device: for pilots only.");
  journal_->add("audit-key", {{"key", custody::public_key_text(tried.audit_key)}});
}

void Ceremony::register_custodians() {
  if (done("end")) return;
  const auto& so_far = journal_->so_far();
  custody::CustodianSet set;
  set.vault = so_far.head.vault;
  set.needed = plan_.approvals_needed;
  for (const auto& one : plan_.custodians) set.custodians.push_back(one.custodian);
  const auto key = custody::parse_public_key(so_far.last("audit-key")->get("key"));
  CARDVAULT_CHECK(key.has_value());
  set.audit_key = *key;
  const std::string body = custody::set_body(set);
  replace_file(file("custodians"), body);
  journal_->add("custodians-registered", {{"needed", std::to_string(set.needed)},
                                          {"digest", custody::hex(custody::sha256(body))}});
  journal_->add("end", {});
}

void Ceremony::sign_transcript() {
  sign_as_token();
  for (const custody::PlanCustodian& who : plan_.custodians) sign_as(who);
}

void Ceremony::sign_as_token() {
  if (signed_by(journal_->so_far().signatures, kAudit)) return;
  step("the token signs the transcript and the custodians' register");
  auto set =
      custody::parse_custodian_set(file("custodians"), custody::read_text_file(file("custodians")));
  const auto tried = token_.use(uri(), user_pin(),
                                {custody::signed_message("custodians", custody::set_body(set)),
                                 custody::transcript_message(journal_->so_far().body)});
  set.signatures = {{kAudit, tried.signatures[0]}};
  replace_file(file("custodians"), custody::encode(set));
  journal_->add(custody::Signed{kAudit, tried.signatures[1]});
  secrets_.clear();  // nothing needs a PIN from here on
}

void Ceremony::sign_as(const custody::PlanCustodian& who) {
  const std::string& name = who.custodian.name;
  if (signed_by(journal_->so_far().signatures, name)) return;
  step(name + " signs the transcript");
  const custody::Digest& body = journal_->so_far().body;
  terminal_.say("The transcript's digest:\n" + custody::for_comparison(body, "  "));
  const auto key = desk_.authenticate(who);
  terminal_.demand_yes(name + ", did all this happen before your eyes, and do you sign it");
  auto set =
      custody::parse_custodian_set(file("custodians"), custody::read_text_file(file("custodians")));
  auto registered = key->sign(custody::signed_message("custodians", custody::set_body(set)));
  auto witnessed = key->sign(custody::transcript_message(body));
  if (!registered || !witnessed) throw ToolError(ExitCode::kLocal, name + "'s key did not sign");
  if (!signed_by(set.signatures, name)) {
    set.signatures.push_back({name, std::move(*registered)});
    replace_file(file("custodians"), custody::encode(set));
  }
  journal_->add(custody::Signed{name, std::move(*witnessed)});
}

std::vector<hsm::KeyReport> Ceremony::reports() const {
  std::vector<hsm::KeyReport> out;
  for (const custody::Entry& entry : journal_->so_far().entries) {
    if (entry.verb != "key-made") continue;
    hsm::KeyReport report;
    report.label = entry.get("label");
    report.kind = entry.get("kind");
    report.kcv = entry.get("kcv");
    report.kcv_kind = entry.get("kcv_kind");
    const auto before = std::ranges::find(out, report.label, &hsm::KeyReport::label);
    if (before != out.end()) out.erase(before);
    out.push_back(std::move(report));
  }
  return out;
}

void Ceremony::install() {
  const std::string& dir = vault_.layout.dir;
  Moves moves = planned_moves(vault_, stage_);
  std::erase_if(moves, [&](const auto& move) {
    return move.first == file("so-pin") || (plan_.custodians_unseal && move.first == file("pin"));
  });
  moves.insert(moves.end() - 1, {file("custody"), dir + "/custody"});
  if (!fs::exists(file("ready"))) {
    step("the vault's files are made and put in place");
    refuse_existing(vault_, moves);
    for (const char* part :
         {"data", "audit", "custody", "vault.toml", "softhsm2.conf", "audit.vkey"}) {
      fs::remove_all(file(part));
    }
    for (const NewGate& gate : vault_.gates)
      fs::remove(file(("gate-" + gate.name + ".toml").c_str()));
    const auto& so_far = journal_->so_far();
    const std::string actor =
        context_.operator_name.empty() ? login_name() : context_.operator_name;
    std::vector<core::Event> events;
    for (const auto& entry : so_far.entries) events.push_back(event_of(entry, actor));
    create_folder(file("data"), 0700, {});
    const auto key = custody::parse_public_key(so_far.last("audit-key")->get("key"));
    const NewKeys keys{
        .token_uri = plan_.custodians_unseal
                         ? uri()
                         : uri() + "?pin-source=file:" + uri_encode(vault_.layout.pin()),
        .reports = reports(),
        .audit_vkey = audit::VerifierKey(audit::default_origin(vault_.label), *key).text()};
    write_files(vault_, keys, stage_);
    // From its first start on the vault asks these custodians.
    record_keys(
        file("data"), actor, reports(), events,
        {{daemon::kCustodiansValue, custody::read_text_file(file("custodians"))},
         {daemon::kBoundsValue,
          daemon::encode_bounds(daemon::bounds_of(daemon::read_config(file("vault.toml"))))}});
    set_owners(vault_, stage_);
    create_folder(file("custody"), 0755, {});
    fs::copy_file(file("transcript"), file("custody/transcript.1"));
    fs::copy_file(file("custodians"), file("custody/custodians"));
    for (const char* part : {"custody/transcript.1", "custody/custodians"}) {
      set_access(file(part), 0644, {});
    }
    if (fs::exists(file("wrapped-keys"))) {
      fs::copy_file(file("wrapped-keys"), file("custody/wrapped-keys"));
    }
    ::sync();
    create_file(file("ready"), "", 0600, {});  // from here on there are only moves
  }
  put_in_place(moves);
  if (plan_.run_dir.empty()) make_run_folders(vault_);
  render(context_.out, context_.format, table_of(reports()));
  journal_.reset();
  fs::remove_all(stage_);
  ::sync();
}

void Ceremony::keep_rehearsal(const std::string& dir) {
  const std::string kept = dir + "/rehearsal-" + journal_->so_far().head.vault + ".transcript";
  const std::string text = custody::read_text_file(file("transcript"));
  const bool there = fs::exists(kept) && custody::read_text_file(kept) == text;  // before a break
  const int error = there ? 0 : custody::write_new_file(kept, text);
  if (error != 0) throw ToolError(ExitCode::kLocal, kept + ": " + custody::explain_write(error));
  for (const std::string& path : medium_files_) fs::remove(path);
  for (const std::string& name : remove_share_files(journal_->so_far())) {
    const auto gone = [&](const std::string& path) { return path.ends_with("/" + name); };
    if (std::ranges::any_of(medium_files_, gone)) continue;
    terminal_.say("Not on its medium, destroy it: " + name);
  }
  journal_.reset();
  fs::remove_all(stage_);
  context_.err << "cardvault: the rehearsal's transcript is " << kept
               << "; its token and its files on media are gone. Destroy its shares on paper.\n";
}

}  // namespace cardvault::provisioning
