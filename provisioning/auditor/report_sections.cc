#include "provisioning/auditor/report_sections.h"

#include <algorithm>

#include "provisioning/auditor/html.h"
#include "provisioning/auditor/html_table.h"
#include "provisioning/auditor/report_figures.h"

namespace cardvault::auditor {
namespace {

using Column = HtmlTable::Column;

constexpr std::size_t kMostBars = 12;
constexpr std::size_t kMostName = 20;  // characters, beside a bar

std::string words(Language language, Say what) { return std::string(say(language, what)); }

std::vector<Series> series_of(Language language, const ReportTally& tally, bool refusals) {
  struct Shown {
    Kind kind;
    const char* css_class;
    Say name;
  };
  const std::vector<Shown> shown =
      refusals ? std::vector<Shown>{{Kind::kRefused, "refused", Say::kLegendRefused}}
               : std::vector<Shown>{{Kind::kStored, "stored", Say::kLegendStored},
                                    {Kind::kRepeated, "repeated", Say::kLegendRepeated},
                                    {Kind::kRevealed, "revealed", Say::kLegendRevealed},
                                    {Kind::kCodes, "codes", Say::kLegendCodes},
                                    {Kind::kOther, "other", Say::kLegendOther}};
  std::vector<Series> all;
  for (const Shown& one : shown) {
    Series series{one.css_class, words(language, one.name), {}};
    for (const auto& bucket : tally.buckets) {
      series.values.push_back(bucket[static_cast<std::size_t>(one.kind)]);
    }
    all.push_back(std::move(series));
  }
  return all;
}

std::string figures_as_table(Language language, const ReportTally& tally) {
  HtmlTable table(language, {{Say::kBegins, Column::kTime},
                             {Say::kLegendStored, Column::kNumber},
                             {Say::kLegendRepeated, Column::kNumber},
                             {Say::kLegendRevealed, Column::kNumber},
                             {Say::kLegendCodes, Column::kNumber},
                             {Say::kLegendOther, Column::kNumber},
                             {Say::kLegendRefused, Column::kNumber}});
  for (std::size_t i = 0; i < tally.buckets.size(); ++i) {
    table.row().time(tally.from_ms() + static_cast<std::int64_t>(i) * tally.bucket_ms());
    for (const std::uint64_t value : tally.buckets[i]) table.number(value);
  }
  return "<details><summary>" + words(language, Say::kAsTable) + "</summary>" + table.done() +
         "</details>";
}

std::string counts(Language language, const NamedCounts& names, Say title) {
  HtmlTable table(language, {{title, Column::kName},
                             {Say::kCount, Column::kNumber},
                             {Say::kFirst, Column::kTime},
                             {Say::kLast, Column::kTime}});
  for (const auto& [name, count] : names.all()) {
    table.row().text(name).number(count.times).time(count.first_ms).time(count.last_ms);
  }
  return table.done(names.left_out());
}

std::string acts_table(Language language, const Acts& acts) {
  HtmlTable table(language, {{Say::kTime, Column::kTime},
                             {Say::kRecord, Column::kNumber},
                             {Say::kWho, Column::kName},
                             {Say::kOperation, Column::kName},
                             {Say::kResource, Column::kName},
                             {Say::kOutcome, Column::kName}});
  for (const Act& act : acts.rows) {
    table.row()
        .time(act.time_ms)
        .number(act.record)
        .text(act.actor)
        .text(act.operation)
        .text(act.resource)
        .text(act.outcome);
  }
  return table.done(acts.left_out);
}

std::string state_text(Language language, const std::string& state) {
  constexpr std::pair<std::string_view, Say> kStates[] = {
      {"active", Say::kActive},     {"decrypt only", Say::kDecryptOnly},
      {"retired", Say::kRetired},   {"destroyed", Say::kDestroyed},
      {"frozen", Say::kFrozen},     {"revoked", Say::kRevoked},
      {"hardware", Say::kHardware}, {"software", Say::kSoftware}};
  const auto found = std::ranges::find(kStates, state, [](const auto& one) { return one.first; });
  return found == std::end(kStates) ? escaped(state) : words(language, found->second);
}

std::string budget(Language language, std::uint64_t limit) {
  return limit == 0 ? words(language, Say::kUnlimited) : number_text(language, limit);
}

}  // namespace

std::string section(std::string_view title, const std::string& body, bool together) {
  return std::string(together ? "<section class=\"together\">" : "<section>") + "<h2>" +
         std::string(title) + "</h2>" + body + "</section>\n";
}

std::string traffic_sections(Language language, const ReportTally& tally) {
  if (tally.events == 0) {
    return "<section><p>" + words(language, Say::kNoEvents) + "</p></section>\n";
  }
  const auto figure = [&](Say title, bool refusals) {
    return columns_figure(language, words(language, title), series_of(language, tally, refusals),
                          tally.from_ms(), tally.bucket_ms());
  };
  HtmlTable table(language, {{Say::kOperation, Column::kName},
                             {Say::kDone, Column::kNumber},
                             {Say::kRefused, Column::kNumber}});
  std::map<std::string, std::array<std::uint64_t, 2>> by_operation;
  for (const auto& [name, count] : tally.done.all()) by_operation[name][0] = count.times;
  for (const auto& [name, count] : tally.refused.all()) by_operation[name][1] = count.times;
  for (const auto& [name, numbers] : by_operation) {
    table.row().text(name).number(numbers[0]).number(numbers[1]);
  }
  std::string html = section(say(language, Say::kOverTime), figure(Say::kOverTime, false), true);
  html += section(say(language, Say::kRefusalsOverTime),
                  figure(Say::kRefusalsOverTime, true) + figures_as_table(language, tally), true);
  html += section(say(language, Say::kByOperation),
                  table.done(tally.done.left_out() + tally.refused.left_out()));
  html += section(say(language, Say::kByReason), counts(language, tally.reasons, Say::kReason));
  if (tally.malformed != 0) {
    html += "<p class=\"note\">" + words(language, Say::kMalformed) + " " +
            number_text(language, tally.malformed) + "</p>\n";
  }
  return html;
}

std::string reveal_section(Language language, const ReportTally& tally,
                           const std::optional<VaultState>& vault) {
  HtmlTable table(language, {{Say::kClient, Column::kName},
                             {Say::kClear, Column::kNumber},
                             {Say::kSealed, Column::kNumber},
                             {Say::kBusiestHour, Column::kNumber},
                             {Say::kHourBudget, Column::kNumber},
                             {Say::kBusiestDay, Column::kNumber},
                             {Say::kDayBudget, Column::kNumber},
                             {Say::kOverBudget, Column::kNumber}});
  std::vector<Bar> bars;
  for (const auto& [name, reveals] : tally.reveals) {
    std::string per_hour = "?", per_day = "?";
    std::uint64_t day_limit = 0;
    for (const StatedClient& client : vault ? vault->clients : std::vector<StatedClient>()) {
      if (client.id != name) continue;
      per_hour = budget(language, client.per_hour);
      per_day = budget(language, client.per_day);
      day_limit = client.per_day;
    }
    table.row().text(name).number(reveals.clear).number(reveals.sealed);
    table.number(reveals.hour.most).html(per_hour).number(reveals.day.most).html(per_day);
    table.number(reveals.over_budget);
    const bool cut = name.size() > kMostName;
    bars.push_back(
        {escaped(name.substr(0, kMostName)) + (cut ? "…" : ""), reveals.day.most, day_limit});
  }
  std::ranges::stable_sort(bars, std::ranges::greater(), &Bar::value);
  bars.resize(std::min(bars.size(), kMostBars));
  std::string body;
  if (!bars.empty()) {
    const std::string title = words(language, vault ? Say::kDayBudget : Say::kBusiestDay);
    body += "<p class=\"note\">" + words(language, Say::kBusiestDay) +
            (vault ? " / " + words(language, Say::kDayBudget) : "") + "</p>" +
            bars_figure(language, title, bars);
  }
  body += table.done(tally.reveals_left_out);
  if (!vault && !bars.empty()) {
    body += "<p class=\"note\">" + words(language, Say::kBudgetUnknown) + "</p>";
  }
  return section(say(language, Say::kRevealsTitle), body);
}

std::string lockout_section(Language language, const ReportTally& tally) {
  HtmlTable table(language, {{Say::kWhat, Column::kName},
                             {Say::kCount, Column::kNumber},
                             {Say::kFirst, Column::kTime},
                             {Say::kLast, Column::kTime}});
  for (const NamedCounts* names : {&tally.lockouts, &tally.alarms}) {
    for (const auto& [name, count] : names->all()) {
      table.row().text((names == &tally.alarms ? "alarm: " : "") + name);
      table.number(count.times).time(count.first_ms).time(count.last_ms);
    }
  }
  return section(say(language, Say::kLockoutsTitle),
                 table.done(tally.lockouts.left_out() + tally.alarms.left_out()));
}

std::string key_sections(Language language, const ReportTally& tally,
                         const std::optional<VaultState>& vault) {
  HtmlTable table(language, {{Say::kKeyName, Column::kLabel},
                             {Say::kKind, Column::kText},
                             {Say::kKcv, Column::kName},
                             {Say::kState, Column::kText},
                             {Say::kSince, Column::kTime},
                             {vault ? Say::kPeriodEnds : Say::kEnded, Column::kTime}});
  if (vault) {
    for (const StatedKey& key : vault->keys) {
      const auto known = tally.keys.find(key.label);
      table.row().text(key.label).text(known == tally.keys.end() ? "" : known->second.kind);
      table.text(key.kcv).html(state_text(language, key.state));
      table.time(key.created_ms).time(key.period_ends_ms);
    }
  } else {
    for (const auto& [label, key] : tally.keys) {
      table.row().text(label).text(key.kind).text(key.kcv).html(state_text(language, key.state));
      table.time(key.made_ms).time(key.ended_ms);
    }
  }
  return section(say(language, Say::kKeysTitle), table.done()) +
         section(say(language, Say::kKeyActs), acts_table(language, tally.key_acts));
}

std::string hsm_section(Language language, const ReportTally& tally) {
  HtmlTable table(language, {{Say::kHsmModel, Column::kText},
                             {Say::kSerial, Column::kName},
                             {Say::kFirmware, Column::kText},
                             {Say::kDevice, Column::kText},
                             {Say::kFirst, Column::kTime},
                             {Say::kLast, Column::kTime}});
  for (const auto& [serial, hsm] : tally.hsms) {
    table.row().text(hsm.manufacturer + " " + hsm.model).text(serial).text(hsm.firmware);
    table.html(state_text(language, hsm.device)).time(hsm.first_ms).time(hsm.last_ms);
  }
  return section(say(language, Say::kHsmsTitle), table.done());
}

std::string people_sections(Language language, const ReportTally& tally) {
  return section(say(language, Say::kCustodianActs), acts_table(language, tally.custodian_acts)) +
         section(say(language, Say::kOperatorActs), counts(language, tally.operators, Say::kWho)) +
         section(say(language, Say::kReaders), counts(language, tally.readers, Say::kWho));
}

std::string client_sections(Language language, const ReportTally& tally,
                            const std::optional<VaultState>& vault) {
  HtmlTable table(language, {{Say::kClient, Column::kName},
                             {Say::kState, Column::kText},
                             {Say::kPermissions, Column::kName},
                             {Say::kPurposes, Column::kName},
                             {Say::kSince, Column::kTime}});
  if (vault) {
    for (const StatedClient& client : vault->clients) {
      table.row().text(client.id).html(state_text(language, client.state));
      table.text(client.permissions).text(client.purposes).time(client.created_ms);
    }
  } else {
    for (const auto& [name, client] : tally.clients) {
      table.row().text(name).html(state_text(language, client.state));
      table.text(client.permissions).text(client.purposes).time(client.since_ms);
    }
  }
  return section(say(language, Say::kClientsTitle), table.done()) +
         section(say(language, Say::kClientActs), acts_table(language, tally.client_acts));
}

}  // namespace cardvault::auditor
