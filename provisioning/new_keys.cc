#include "provisioning/new_keys.h"

#include <algorithm>
#include <filesystem>
#include <future>

#include "provisioning/config_file.h"
#include "provisioning/private_file.h"
#include "provisioning/progress.h"
#include "provisioning/token_failure.h"
#include "vault/audit/checkpoint.h"
#include "vault/core/vault_clock.h"
#include "vault/daemon/announcement.h"
#include "vault/store/sqlite_store.h"

namespace cardvault::provisioning {
namespace {

hsm::TokenConfig token_config(const NewVault& vault, const std::string& stage) {
  hsm::TokenConfig config;
  config.module = vault.module;
  config.init_args = vault.init_args;
  if (vault.module.find("softhsm") != std::string::npos) {
    config.softhsm_conf = stage + "/softhsm2.stage.conf";
    create_folder(stage + "/token", 0700, {});
    create_file(config.softhsm_conf, hsm::softhsm_conf_text(stage + "/token"), 0600, {});
  }
  return config;
}

// "pan-enc/1" of a report's label; "pan-enc-mac/1" belongs to the same key.
core::KeyRef key_of(const std::string& label) {
  core::KeyRef key;
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    if (label == std::string(core::key_purpose_name(purpose)) + "/1") key = {purpose, 1};
  }
  return key;
}

core::Event event_of(const hsm::KeyReport& report, const std::string& operator_name,
                     std::int64_t now_ms) {
  core::Event event;
  event.time_ms = now_ms;
  event.actor = "operator:" + operator_name;
  event.operation = "key.make";
  event.gate = "admin";
  event.resource = report.label;
  event.details = {{"kind", report.kind}, {"kcv", report.kcv}, {"kcv_kind", report.kcv_kind}};
  return event;
}

}  // namespace

NewKeys make_keys(const Context& context, const NewVault& vault, const std::string& stage) {
  hsm::TokenConfig config = token_config(vault, stage);
  hsm::NewToken token{
      .label = vault.label, .so_pin = hsm::random_pin(), .user_pin = hsm::random_pin()};
  create_file(stage + "/pin", token.user_pin.expose(), 0400, {});
  create_file(stage + "/so-pin", token.so_pin.expose(), 0400, {});
  const auto uri = hsm::init_token(config, token);
  if (!uri) give_up("the token can't be made", uri.error());

  config.token_uri = *uri + "?pin-source=file:" + uri_encode(stage + "/pin");
  const auto maker = hsm::KeyMaker::open(config);
  NewKeys made{.token_uri = *uri + "?pin-source=file:" + uri_encode(vault.layout.pin()),
               .reports = {},
               .audit_vkey = {}};
  Progress progress(context.err, context.err_is_terminal, "making keys");
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    progress.show(made.reports.size(), core::kKeyPurposes);
    auto reports = maker->make({purpose, 1});
    if (!reports)
      give_up("the key " + core::key_label({purpose, 1}) + " can't be made", reports.error());
    std::ranges::move(*reports, std::back_inserter(made.reports));
  }
  const auto audit_key = maker->public_key({core::KeyPurpose::kAuditSign, 1});
  if (!audit_key) give_up("the public key of audit-sign/1 can't be read", audit_key.error());
  made.audit_vkey = audit::VerifierKey(audit::default_origin(vault.label), *audit_key).text();
  return made;
}

void record_keys(const std::string& data_dir, const std::string& operator_name,
                 const std::vector<hsm::KeyReport>& reports, const std::vector<core::Event>& before,
                 const std::vector<std::pair<std::string_view, std::string>>& values) {
  store::StoreOptions options;
  options.create = true;
  const auto store = store::SqliteStore::open(data_dir, options);
  const std::int64_t now_ms = core::VaultClock::system_sources().wall_ms();
  std::promise<base::Result<void>> durable;
  store->committer().submit(std::make_unique<daemon::Effect>(
      [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        for (const core::Event& event : before) events.add(event);
        for (const hsm::KeyReport& report : reports) {
          events.add(event_of(report, operator_name, now_ms));
          const core::KeyRef key = key_of(report.label);
          if (key.version == 0) continue;  // a second key of suite 2: its event says enough
          core::KeyRow row;
          row.key = key;
          row.kcv = report.kcv;
          row.created_ms = now_ms;
          if (auto put = tx.put_key(row); !put) return put;
        }
        for (const auto& [name, value] : values) {
          if (auto put = tx.put_value(name, base::as_bytes(value)); !put) return put;
        }
        return {};
      },
      [&](const base::Result<core::Receipt>& receipt) {
        durable.set_value(receipt ? base::Result<void>{} : std::unexpected(receipt.error()));
      }));
  const auto outcome = durable.get_future().get();
  if (!outcome) {
    throw ToolError(ExitCode::kLocal, data_dir + ": the keys can't be recorded: " +
                                          std::string(base::code_name(outcome.error().code)));
  }
}

std::string folder_of_init_args(const std::string& init_args) {
  constexpr std::string_view kKey = "configdir=";
  const auto begin = init_args.find(kKey);
  if (begin == std::string::npos) return "";
  std::string value = init_args.substr(begin + kKey.size());
  const char quote = value.empty() ? '\0' : value[0];
  if (quote == '\'' || quote == '"') {
    value = value.substr(1, value.find(quote, 1) - 1);
  } else {
    value = value.substr(0, value.find(' '));
  }
  if (value.starts_with("sql:")) value.erase(0, 4);
  return value;
}

std::string read_only_init_args(const std::string& init_args) {
  if (folder_of_init_args(init_args).empty()) return init_args;
  constexpr std::string_view kKey = "flags=";
  const auto begin = init_args.find(kKey);
  if (begin == std::string::npos) return init_args + " flags=readOnly";
  auto value = begin + kKey.size();
  const bool quoted =
      value < init_args.size() && (init_args[value] == '\'' || init_args[value] == '"');
  const char closing = quoted ? init_args[value++] : ' ';
  auto end = init_args.find(closing, value);
  if (end == std::string::npos) end = init_args.size();
  return init_args.substr(0, end) + (end == value ? "readOnly" : ",readOnly") +
         init_args.substr(end);
}

}  // namespace cardvault::provisioning
