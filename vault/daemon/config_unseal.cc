#include "vault/daemon/config_unseal.h"

#include <filesystem>

#include "vault/daemon/config_section.h"

namespace cardvault::daemon {

UnsealConfig read_unseal(const toml::table& root, const std::string& path,
                         const std::string& data_dir, const std::string& token_uris) {
  Section section(sub_table(root, "unseal", path), "unseal", path);
  UnsealConfig out;
  const std::string by = section.text("by", "pin-source");
  out.custodians = by == "custodians";
  if (!out.custodians && by != "pin-source") {
    section.refuse("by", section.find("by"), "must be \"pin-source\" or \"custodians\"");
  }
  out.survive_crash = section.flag("survive_crash", false);
  if (out.survive_crash && !out.custodians) {
    section.refuse("survive_crash", section.find("survive_crash"),
                   "is for by = \"custodians\": a pin-source survives anyhow");
  }
  if (out.custodians && token_uris.find("pin-source=") != std::string::npos) {
    section.refuse("by", section.find("by"),
                   "says custodians, but hsm.token names a pin-source: take that out, and destroy "
                   "the file");
  }
  const auto beside = std::filesystem::path(data_dir).lexically_normal() / ".." / "custody";
  out.custody_dir = section.text("custody", beside.lexically_normal().string());
  out.drill_warning_days = section.number("drill_warning_days", out.drill_warning_days, 3650, 1);
  section.refuse_unknown();
  return out;
}

}  // namespace cardvault::daemon
