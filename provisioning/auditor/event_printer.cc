#include "provisioning/auditor/event_printer.h"

#include <iomanip>
#include <string>

#include "provisioning/auditor/published_log.h"
#include "vault/base/clock.h"

namespace cardvault::auditor {
namespace {

std::string details_text(const core::Event& event) {
  std::string text;
  for (const auto& [name, value] : event.details) {
    text.append(text.empty() ? "" : " ").append(name).append("=").append(value);
  }
  return text;
}

std::string request_text(std::uint64_t request) {
  if (request == 0) return "";
  std::string digits(16, '0');
  for (std::size_t i = digits.size(); i-- > 0; request >>= 4) {
    digits[i] = "0123456789abcdef"[request & 15];
  }
  return digits;
}

void put_cell(std::ostream& out, std::string_view value) {
  out << '"';
  if (!value.empty() && std::string_view("=+-@\t\r").find(value[0]) != std::string_view::npos) {
    out << '\'';
  }
  for (const char c : value) {
    if (c == '"') out << '"';
    out << c;
  }
  out << '"';
}

// At least `width` wide, and two spaces.
void put_column(std::ostream& out, std::string_view value, int width) {
  out << std::left << std::setw(width) << printable(value) << "  ";
}

void put_row(std::ostream& out, std::string_view seq, std::string_view time,
             const core::Event& event, const std::string& details) {
  put_column(out, seq, 10);
  put_column(out, time, 24);
  put_column(out, event.actor, 20);
  put_column(out, event.operation, 14);
  put_column(out, event.outcome, 20);
  put_column(out, event.resource, 30);
  if (details.empty()) {
    out << printable(event.customer) << '\n';
  } else {
    put_column(out, event.customer, 32);
    out << printable(details) << '\n';
  }
}

}  // namespace

void EventPrinter::head() {
  headed_ = true;
  if (format_ == EventFormat::kCsv) {
    out_ << "seq,time,actor,op,outcome,source,gate,resource,request,purpose,pan_fp,customer,"
            "key_version,details\r\n";
  } else if (format_ == EventFormat::kTable) {
    core::Event names;
    names.actor = "ACTOR";
    names.operation = "OPERATION";
    names.outcome = "OUTCOME";
    names.resource = "RESOURCE";
    names.customer = "CUSTOMER";
    put_row(out_, "SEQ", "TIME", names, "DETAILS");
  }
}

void EventPrinter::print(std::uint64_t record, std::string_view line, const core::Event& event) {
  if (!headed_) head();
  if (format_ == EventFormat::kJson) {
    out_ << line << '\n';
    return;
  }
  const std::string time = base::format_time(event.time_ms);
  if (format_ == EventFormat::kTable) {
    put_row(out_, std::to_string(record), time, event, details_text(event));
    return;
  }
  out_ << record << ',' << time;
  for (const std::string& value :
       {event.actor, event.operation, event.outcome, event.source, event.gate, event.resource,
        request_text(event.request), event.purpose, event.fingerprint, event.customer,
        event.key_version == 0 ? std::string() : std::to_string(event.key_version),
        details_text(event)}) {
    out_ << ',';
    if (!value.empty()) put_cell(out_, value);
  }
  out_ << "\r\n";
}

void EventPrinter::finish() {
  if (!headed_ && format_ == EventFormat::kCsv) head();
  out_.flush();
}

}  // namespace cardvault::auditor
