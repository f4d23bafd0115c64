#include "protocol/gate/metrics.h"

#include <algorithm>

namespace cardvault::gate {
namespace {

void head(std::string& out, const char* name, const char* help, const char* type) {
  out.append("# HELP ").append(name).append(" ").append(help);
  out.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void sample(std::string& out, const char* name, const std::string& labels, std::uint64_t value) {
  out.append(name)
      .append("{")
      .append(labels)
      .append("} ")
      .append(std::to_string(value))
      .append("\n");
}

std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace

void Metrics::answered(Operation operation, unsigned status) noexcept {
  const auto* const found = std::ranges::find(kStatuses, status);
  const auto at = static_cast<std::size_t>(found - kStatuses.begin());
  if (at < kStatuses.size()) add(answers_[static_cast<std::size_t>(operation)][at]);
}

std::string Metrics::text(const std::string& name, std::size_t open, bool up) const {
  const std::string gate = "gate=\"" + escaped(name) + "\"";
  std::string out;
  head(out, "cardvault_gate_connections", "Client connections open now.", "gauge");
  sample(out, "cardvault_gate_connections", gate, open);
  head(out, "cardvault_gate_vault_connected", "1 while a vault process is connected.", "gauge");
  sample(out, "cardvault_gate_vault_connected", gate, up ? 1 : 0);
  head(out, "cardvault_gate_vault_connects_total", "Times a vault process connected.", "counter");
  sample(out, "cardvault_gate_vault_connects_total", gate, links_);
  head(out, "cardvault_gate_accepted_total", "Client connections accepted.", "counter");
  sample(out, "cardvault_gate_accepted_total", gate, accepted_);
  head(out, "cardvault_gate_handshakes_total", "TLS handshakes finished.", "counter");
  sample(out, "cardvault_gate_handshakes_total", gate, handshakes_);
  head(out, "cardvault_gate_strangers_total", "Connections refused before a request.", "counter");
  for (std::size_t i = 0; i < strangers_.size(); ++i) {
    const auto reason = static_cast<StrangerReason>(i);
    sample(out, "cardvault_gate_strangers_total",
           gate + ",reason=\"" + stranger_reason_name(reason) + "\"", strangers_[i]);
  }
  head(out, "cardvault_gate_requests_total", "Requests answered.", "counter");
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    for (std::size_t s = 0; s < kStatuses.size(); ++s) {
      if (answers_[i][s] == 0) continue;
      const auto operation = operation_label(static_cast<Operation>(i));
      sample(out, "cardvault_gate_requests_total",
             gate + ",operation=\"" + std::string(operation) + "\",status=\"" +
                 std::to_string(kStatuses[s]) + "\"",
             answers_[i][s]);
    }
  }
  return out;
}

}  // namespace cardvault::gate
