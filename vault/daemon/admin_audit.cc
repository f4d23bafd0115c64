// Verbs of those who look into the published log: what a card and a customer are called there, and
// the vault's signature under what is handed to an assessor.
#include <algorithm>
#include <set>

#include "vault/core/card_check.h"
#include "vault/core/record.h"
#include "vault/core/text_form.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/evidence_list.h"
#include "vault/daemon/vault_note.h"

namespace cardvault::daemon {

using base::Code;

namespace {

// By every version of the index key that is still on the token, retired ones too: the log names
// cards by the versions that were active then.
base::Result<std::vector<std::vector<std::string>>> card_names(Vault& vault, const core::Pan& pan) {
  std::vector<std::vector<std::string>> rows;
  for (const auto keys = vault.key_rows(); const core::KeyRow& row : *keys) {
    if (row.key.purpose != core::KeyPurpose::kPanIndex) continue;
    if (row.state == core::KeyState::kDestroyed) {
      rows.push_back({"missing", core::key_label(row.key)});
      continue;
    }
    const auto fp = core::pan_fingerprint(vault.services(), pan, row.key.version);
    if (!fp) return std::unexpected(fp.error());
    rows.push_back({"fingerprint", core::fingerprint_text(*fp, row.key.version)});
  }
  return rows;
}

}  // namespace

// `audit.find`, `audit.report`: where the log is, under which names, and how it is checked.
// `audit.fingerprint`: the names alone. An event in any case, with the names and never with what
// they are of.
wire::AdminAnswer AdminService::audit_names(const Call& call) {
  wire::AdminAnswer answer;
  answer.columns = {"name", "value"};
  core::Event done = event(call);
  const auto refuse = [&](Code code, const std::string& text) {
    done.outcome = base::code_name(code);
    if (auto ok = record(done); !ok) return failed(ok.error());
    return refusal(code, text);
  };
  if (!call.request.blob.empty()) {
    const auto pan = core::Pan::parse(base::as_text(call.request.blob));
    if (!pan) return refuse(Code::kInvalidPan, "that is no card number: 12 to 19 digits");
    const auto bins = vault_.services().bins.load();
    if (!core::check_digit_fits(*pan, *bins)) {
      return refuse(Code::kInvalidPan,
                    "the number's check digit is wrong, so no card has it: compare it with the "
                    "card's");
    }
    auto names = card_names(vault_, *pan);
    if (!names) return failed(names.error());
    const std::uint32_t active = vault_.services().keys.get(core::KeyPurpose::kPanIndex).version;
    const std::string prefix = std::to_string(active) + ":";
    for (auto& name : *names) {
      if (name[1].starts_with(prefix)) done.fingerprint = name[1];
      answer.rows.push_back(std::move(name));
    }
  }
  if (!call.argument("customer").empty()) {
    const auto fp = customer_fingerprints(call);
    if (!fp) return refuse(fp.error().code, failed(fp.error()).message);
    auto reader = vault_.store().make_reader();
    if (!reader) return failed(reader.error());
    const auto row = core::customer_by_name(**reader, *fp);
    if (!row) return failed(row.error());
    if (!*row) return refuse(Code::kNotFound, "the vault knows no such customer");
    done.customer = core::to_hex((*row)->id);
    answer.rows.push_back({"customer", done.customer});
  }
  const auto key = log_key(vault_, vault_.services().keys.get(core::KeyPurpose::kAuditSign));
  if (!key) return failed(key.error());
  if (auto ok = record(done); !ok) return failed(ok.error());
  if (call.request.verb != "audit.fingerprint") {
    answer.rows.push_back({"log", vault_.config().audit.dir});
    for (const std::string& folder : vault_.config().audit.closed) {
      answer.rows.push_back({"closed", folder});
    }
    answer.rows.push_back({"key", key->text()});
    answer.rows.push_back({"events", std::to_string(vault_.store().next_seq())});
  }
  return answer;
}

// Signs a list of files, never a text of the caller's.
wire::AdminAnswer AdminService::audit_evidence(const Call& call) {
  core::Event done = event(call);
  const auto list = check_evidence_list(base::as_text(call.request.blob));
  if (!list) {
    done.outcome = base::code_name(Code::kInvalidArgument);
    if (auto ok = record(done); !ok) return failed(ok.error());
    return refusal(
        Code::kInvalidArgument,
        "a list of evidence has lines 'file: SHA-256 SIZE NAME', at most 1000, each name "
        "once: the tool and the daemon differ in version");
  }
  done.details = {{"files", std::to_string(list->files)}, {"sha256", list->digest}};
  const core::KeyRef signer = vault_.services().keys.get(core::KeyPurpose::kAuditSign);
  done.resource = core::key_label(signer);
  done.key_version = signer.version;
  if (auto ok = record(done); !ok) return failed(ok.error());
  const auto note = sign_note(vault_, signer, "cardvault evidence v1",
                              std::string(base::as_text(call.request.blob)));
  if (!note) return failed(note.error());
  wire::AdminAnswer answer;
  answer.columns = {"note"};
  answer.rows = {{*note}};
  return answer;
}

}  // namespace cardvault::daemon
