#include "vault/audit/syslog_line.h"

#include <algorithm>

#include "vault/audit/event_fields.h"
#include "vault/base/clock.h"

namespace cardvault::audit {
namespace {

constexpr unsigned kLogAudit = 13;  // RFC 5424 section 6.2.1, as the severities
constexpr unsigned kCritical = 2, kNotice = 5, kInformational = 6;
constexpr std::size_t kLongestName = 32;    // MSGID and PARAM-NAME
constexpr std::size_t kLongestHost = 255;   // HOSTNAME
constexpr std::size_t kLongestValue = 256;  // of a message that has to be shortened

unsigned severity_of(const core::Event& event) {
  if (event.operation == "alarm") return kCritical;
  return event.outcome == "ok" ? kInformational : kNotice;
}

// A header field: printable, no spaces (PRINTUSASCII), "-" for none.
std::string header_field(std::string_view text, std::size_t most) {
  std::string field(text.substr(0, most));
  std::ranges::replace_if(field, [](char c) { return c <= 0x20 || c >= 0x7F; }, '?');
  return field.empty() ? "-" : field;
}

std::string parameter_name(std::string_view text) {
  std::string name = header_field(text, kLongestName);
  std::ranges::replace_if(name, [](char c) { return c == '=' || c == ']' || c == '"'; }, '?');
  return name;
}

void append_parameter(std::string& out, std::string_view name, std::string_view value) {
  out += ' ';
  out += parameter_name(name);
  out += "=\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\' || c == ']') out += '\\';
    out += byte < 0x20 || byte == 0x7F ? '?' : c;  // one event is one line
  }
  out += '"';
}

std::string own_name(std::string_view opening) {  // ,"actor":" → actor
  opening.remove_prefix(2);
  return std::string(opening.substr(0, opening.find('"')));
}

struct Form {
  std::size_t longest_value = std::string::npos;
  bool details = true;
};

std::string hex(std::uint64_t number) {  // as the event's line has it
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[number >> shift & 15];
  return digits;
}

std::string_view cut(std::string_view value, std::size_t most) {
  if (value.size() <= most) return value;
  while (most > 0 && (static_cast<unsigned char>(value[most]) & 0xC0) == 0x80) --most;
  return value.substr(0, most);
}

std::string structured(std::uint64_t seq, const core::Event& event, const SyslogSender& sender,
                       const Form& form) {
  const std::string enterprise = std::to_string(sender.enterprise);
  std::string out = "[event@" + enterprise;
  append_parameter(out, "seq", std::to_string(seq));
  const auto add_texts = [&](const auto& fields) {
    for (const TextField& field : fields) {
      const std::string& value = event.*field.member;
      if (!value.empty()) {
        append_parameter(out, own_name(field.opening), cut(value, form.longest_value));
      }
    }
  };
  add_texts(kFieldsBeforeRequest);
  if (event.request != 0) append_parameter(out, "request", hex(event.request));
  add_texts(kFieldsAfterRequest);
  if (event.key_version != 0) {
    append_parameter(out, "key_version", std::to_string(event.key_version));
  }
  if (!form.details) append_parameter(out, "cut", "true");
  out += ']';
  if (event.details.empty() || !form.details) return out;
  out += "[details@" + enterprise;
  for (const auto& [name, value] : event.details) append_parameter(out, name, value);
  return out + ']';
}

std::string line(std::uint64_t seq, const core::Event& event, const SyslogSender& sender,
                 const Form& form) {
  const std::string operation = header_field(event.operation, kLongestName);
  return "<" + std::to_string(kLogAudit * 8 + severity_of(event)) + ">1 " +
         base::format_time(event.time_ms) + ' ' + header_field(sender.host, kLongestHost) +
         " cardvault " + std::to_string(sender.process) + ' ' + operation + ' ' +
         structured(seq, event, sender, form) + ' ' + operation + ' ' +
         header_field(event.outcome, kLongestName) + " by " +
         header_field(event.actor, kLongestHost);
}

}  // namespace

std::string syslog_line(std::uint64_t seq, const core::Event& event, const SyslogSender& sender) {
  std::string whole = line(seq, event, sender, {});
  if (whole.size() <= kMaxSyslogLine) return whole;
  return line(seq, event, sender, {kLongestValue, false});
}

}  // namespace cardvault::audit
