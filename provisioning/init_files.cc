#include "provisioning/init_files.h"

#include "provisioning/render.h"

namespace cardvault::provisioning {
namespace {

// TOML's basic strings take the escapes of JSON (toml.io v1.0.0, String).
std::string quoted(const std::string& text) { return json_string(text); }

std::string ceiling_of(const std::string& gate) {
  if (gate == "processor") return R"(["detokenize", "detokenize.sealed", "cards.read"])";
  if (gate == "auditor") return R"(["audit.read", "metrics.read"])";
  return R"(["tokenize", "tokenize.anonymous", "cards.read", "cards.manage", )"
         R"("detokenize.sealed", "otp.seal", "otp.verify", "secrets.manage", "secrets.verify"])";
}

std::string hsm_section(const NewVault& vault, const std::string& token_uri) {
  const Layout& layout = vault.layout;
  std::string text = "[hsm]\nmodule = " + quoted(vault.module) + "\n";
  if (!vault.init_args.empty()) text += "init_args = " + quoted(vault.init_args) + "\n";
  text += "# RFC 7512; the PIN is in the file, never here.\n";
  text += "token = " + quoted(token_uri) + "\n";
  if (vault.module.find("softhsm") != std::string::npos) {
    text += "softhsm_conf = " + quoted(layout.softhsm_conf()) + "\n";
  }
  return text + "sessions = 1\ncall_timeout_ms = 5000\n";
}

// A token whose URI names no place of the PIN is opened by custodians.
std::string unseal_section(const std::string& token_uri) {
  if (token_uri.find("pin-source=") != std::string::npos) return "";
  return "\n[unseal]\nby = \"custodians\"        # `cardvault unseal` after each start\n"
         "survive_crash = false    # true: a crash heals by itself, see vault.toml(5)\n";
}

constexpr const char* kPolicy = R"(
[policy]
countries = ["KZ"]       # cards issued elsewhere are refused; [] allows all
currencies = []          # of the card's account; a listed currency must be known to the BIN table
cards_per_customer = 10
pan_budget_day = 10      # distinct new or refused card numbers per customer
pan_budget_month = 30
bin_digits_stored = 6    # 0, 6 or 8 (PCI DSS 3.4.1)
confirm_sealed = true    # a card is sealed for a payment that its customer confirmed by a code

[policy.purpose.card_to_card]  # reveals for this purpose
currencies = ["KZT"]

[otp]                    # one-time codes
resend_s = 60            # between two codes of a customer and purpose
sends = 5                # of a customer and purpose in send_window_s
send_window_s = 3600
spend_s = 900            # a verified code confirms something that long

[otp.purpose.verify_login]
ttl_s = 900              # a code lives that long: the bank's rule, and the most

[otp.purpose.change_password]
ttl_s = 900

[otp.purpose.confirm_transaction]
ttl_s = 900
context = true           # bound to amount, currency and payee

[attempts]               # wrong codes and passwords
tries = 3                # then locked for lock_s, per customer and purpose
lock_s = 900
subject_cap = 100        # wrong ones of a customer until `cardvault otp unlock`
failures_per_hour = 3000 # of all customers together

[secrets]                # passwords and quick codes
password_min = 8         # characters
quick_code_digits = 4
enroll_code = ""         # purpose of the code that enrolling takes; "": none
change_code = "change_password"
argon2_memory_kib = 19456
argon2_passes = 2
argon2_lanes = 1
workers = 1              # threads for Argon2id, each with its memory

[limits]
rate_per_s = 2000        # items per client and second
queue = 4096             # requests that wait; more are answered 503

[reveal]                 # clear card numbers; a client can have less, see cardvault client add
client_per_hour = 1000
client_per_day = 5000
card_per_day = 20

[clock]
max_offline_days = 30    # a longer gap stops writes until `cardvault clock confirm`
)";

}  // namespace

std::string vault_toml(const NewVault& vault, const std::string& token_uri) {
  const Layout& layout = vault.layout;
  std::string text = "# Made by `cardvault init`; every key is explained in vault.toml(5).\n\n";
  text += "[vault]\ndata_dir = " + quoted(layout.data()) + "\n";
  text += "admin_socket = " + quoted(layout.run_dir + "/cardvaultd/admin.sock") + "\n\n";
  text += hsm_section(vault, token_uri) + unseal_section(token_uri) + kPolicy;
  for (const NewGate& gate : vault.gates) {
    text += "\n[[gate]]                 # the most that this gate may ever assert\n";
    text += "name = " + quoted(gate.name) + "\n";
    text += "socket = " + quoted(layout.run_dir + "/" + gate.name + ".sock") + "\n";
    text += "uid = " + std::to_string(gate.uid) + "\n";
    text += "clients = [" + quoted(gate.name) + "]\n";
    text += "permissions = " + ceiling_of(gate.name) + "\n";
  }
  text += "\n[admin]\noperators = [";
  for (std::size_t i = 0; i < vault.operators.size(); ++i) {
    if (i != 0) text += ", ";
    text += "{uid = " + std::to_string(vault.operators[i].uid) +
            ", name = " + quoted(vault.operators[i].name) + "}";
  }
  return text +
         "]\n"
         "two_operators = [\"client.release\"]  # these acts take two of them\n";
}

std::string gate_toml(const NewVault& vault, const NewGate& gate) {
  const std::string& folder = vault.layout.config_dir;
  const std::string certificate = folder + "/gates/" + gate.name;
  std::string text = "# Made by `cardvault init`; every key is explained in cardvault-gate(8).\n\n";
  text += "[gate]\nname = " + quoted(gate.name) + "\n";
  text += "certificate = " + quoted(certificate + ".pem") + "\n";
  text += "key = " + quoted(certificate + ".key") + "\n";
  text += "client_ca = " + quoted(folder + "/ca.pem") + "\n";
  text += "crl = " + quoted(folder + "/crl.pem") + "\n";
  text += "vault_ca = " + quoted(vault.layout.run_dir + "/cardvaultd/client-ca.pem") + "\n";
  text += "vault_uid = " + std::to_string(vault.daemon_uid) + "\n";
  return text;
}

}  // namespace cardvault::provisioning
