// Lines of the log: one spelling for each event, two readers that agree, and a message for a SIEM
// that stays one line.
#include "tests/fuzz/target.h"
#include "vault/audit/event_codec.h"
#include "vault/audit/leaves.h"
#include "vault/audit/syslog_line.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line = fuzz::text_of(data, size);
  std::uint64_t seq = 0;
  const auto event = audit::parse_event(line, &seq);
  const auto head = audit::check_event(line);
  CARDVAULT_CHECK(event.has_value() == head.has_value());
  audit::LeafReader leaves(line);
  for (auto leaf = leaves.next(); leaf && *leaf; leaf = leaves.next()) continue;
  if (!event) return 0;
  CARDVAULT_CHECK(head->seq == seq && head->time_ms == event->time_ms);
  std::string again;
  audit::append_event(again, seq, *event);
  CARDVAULT_CHECK(again == line);
  const std::string message = audit::syslog_line(seq, *event, {"host", 1, 32473});
  CARDVAULT_CHECK(message.size() <= audit::kMaxSyslogLine);
  for (const char c : message) CARDVAULT_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  return 0;
}
