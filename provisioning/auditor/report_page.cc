#include "provisioning/auditor/report_page.h"

#include <algorithm>

#include "provisioning/auditor/html.h"
#include "provisioning/auditor/report_figures.h"
#include "provisioning/auditor/report_sections.h"
#include "provisioning/auditor/report_style.h"
#include "vault/audit/base64.h"
#include "vault/audit/sha256.h"

namespace cardvault::auditor {
namespace {

constexpr std::size_t kShownFindings = 20;

std::string head(Language language) {
  const std::string title(say(language, Say::kTitle));
  return "<!DOCTYPE html>\n<html lang=\"" + std::string(language_code(language)) +
         "\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'sha256-" +
         audit::to_base64(audit::sha256(kReportStyle)) +
         "'; base-uri 'none'; form-action 'none'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"referrer\" content=\"no-referrer\">\n<title>" +
         title + "</title>\n<style>" + std::string(kReportStyle) + "</style>\n</head>\n";
}

// The last day of a period that ends at midnight is the one before.
std::string period(Language language, const ReportFacts& facts) {
  const std::string first = long_date(language, facts.from_ms);
  const std::string last = long_date(language, std::max(facts.from_ms, facts.to_ms - 1));
  return first == last ? first : first + " – " + last;
}

std::string verdict(Language language, const ReportFacts& facts) {
  const audit::VerifyReport& report = facts.verified;
  const bool good = report.findings.empty();
  std::string html =
      "<div class=\"verdict " + std::string(good ? "good" : "bad") + "\"><h2>" +
      (good ? "✓ " : "✗ ") +
      std::string(say(language, good ? Say::kVerifiedTitle : Say::kNotVerifiedTitle)) + "</h2><p>" +
      std::string(say(language, good ? Say::kVerifiedText : Say::kNotVerifiedText)) + "</p>";
  if (!good) {
    html += "<ul>";
    for (std::size_t i = 0; i < report.findings.size() && i < kShownFindings; ++i) {
      const audit::Finding& one = report.findings[i];
      html +=
          "<li lang=\"en\"><code>" + escaped(audit::fault_name(one.fault)) + "</code> " +
          (one.record == audit::kNoRecord ? "" : "record " + std::to_string(one.record) + ", ") +
          escaped(one.file) + ": " + escaped(one.what) + "</li>";
    }
    html += "</ul>";
  }
  return html + "</div>";
}

std::string row(std::string_view name, const std::string& value) {
  return "<dt>" + std::string(name) + "</dt><dd>" + value + "</dd>";
}

std::string log_facts(Language language, const ReportFacts& facts) {
  const audit::Checkpoint& checkpoint = facts.verified.checkpoint;
  std::string html =
      "<dl>" + row(say(language, Say::kLog), escaped(checkpoint.origin)) +
      row(say(language, Say::kRecords), number_text(language, checkpoint.size)) +
      row(say(language, Say::kRoot), "<code>" + audit::to_base64(checkpoint.root) + "</code>") +
      row(say(language, Say::kKey), "<code>" + escaped(facts.key) + "</code>");
  for (const audit::EndorsedKey& next : facts.verified.successors) {
    if (next.last_known.empty()) continue;
    html += row(say(language, Say::kReplaced), "<code>" + escaped(next.key.text()) + "</code> (" +
                                                   std::string(say(language, Say::kRecord)) + " " +
                                                   number_text(language, next.record) + ")");
  }
  for (const std::string& one : facts.continues) {
    html += row(say(language, Say::kContinues), escaped(one));
  }
  html += row(say(language, Say::kMade), short_date(language, facts.made_ms, true) + " UTC");
  return html + "</dl>";
}

std::string checkpoint_note(Language language, const ReportFacts& facts) {
  std::string text;
  std::string_view rest = facts.checkpoint_note;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const std::string_view one = rest.substr(0, end);
    constexpr std::string_view kDash = "\u2014";  // begins a note's signatures
    text += one.starts_with(kDash) ? std::string(kDash) + escaped(one.substr(kDash.size()))
                                   : escaped(one);
    text += '\n';
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return section(say(language, Say::kCheckpoint), "<pre>" + text + "</pre>", true);
}

std::string tiles(Language language, const ReportTally& tally) {
  const std::pair<Say, std::uint64_t> shown[] = {{Say::kEvents, tally.events},
                                                 {Say::kStored, tally.total(Kind::kStored)},
                                                 {Say::kRevealed, tally.total(Kind::kRevealed)},
                                                 {Say::kRefused, tally.refused.total()},
                                                 {Say::kLockouts, tally.lockouts.total()},
                                                 {Say::kAlarms, tally.alarms.total()}};
  std::string html = "<section><ul class=\"tiles\">";
  for (const auto& [name, number] : shown) {
    html += "<li><b>" + number_text(language, number) + "</b><span>" +
            std::string(say(language, name)) + "</span></li>";
  }
  return html + "</ul></section>";
}

}  // namespace

std::string report_page(Language language, const ReportFacts& facts, const ReportTally& tally) {
  std::string html = head(language) + "<body>\n<main>\n<header><h1>" +
                     std::string(say(language, Say::kTitle)) + "</h1><p class=\"period\">" +
                     period(language, facts) + "</p>";
  html += verdict(language, facts) + log_facts(language, facts) + "</header>\n";
  if (facts.verified.findings.empty()) {
    html += tiles(language, tally);
    html += traffic_sections(language, tally);
    html += reveal_section(language, tally, facts.vault);
    html += lockout_section(language, tally);
    html += key_sections(language, tally, facts.vault);
    html += hsm_section(language, tally);
    html += people_sections(language, tally);
    html += client_sections(language, tally, facts.vault);
  }
  html += checkpoint_note(language, facts) + "<footer><p>" +
          std::string(say(language, facts.vault ? Say::kFromVault : Say::kFromLog));
  if (facts.vault) html += " " + short_date(language, facts.vault->time_ms, true) + " UTC.";
  return html + "</p></footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace cardvault::auditor
