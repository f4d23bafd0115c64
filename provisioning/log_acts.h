// Acts on the published log where the vault is: it says where the log is and what a card or a
// customer is called in it, and records who asked.
#pragma once

#include <string>
#include <vector>

#include "provisioning/auditor/find.h"
#include "provisioning/auditor/report.h"
#include "provisioning/context.h"

namespace cardvault::provisioning {

struct FindInVault {
  auditor::FindOptions find;       // without a folder and a key, the vault's own
  bool pan_on_stdin = false;       // a card number, as a line
  bool customer_on_stdin = false;  // a customer's identifier, as a line after it
};

// `audit find`. The vault is not asked where folder and key are given and nothing is on stdin.
ExitCode find_events(const Context& context, FindInVault options);

// `audit pan-fingerprint`: what a card number on stdin is called in the log, for --fingerprint of
// cardvault-audit.
ExitCode print_fingerprints(const Context& context);

// `audit report`, of the vault's own log where no folder and key are given; with `ask_vault` also
// what the vault says of its keys, clients and budgets.
ExitCode report_log(const Context& context, auditor::ReportOptions options, bool ask_vault);

struct EvidenceOptions {
  auditor::ReportOptions report;   // of the log's part; its output is the archive
  std::string custody;             // a folder with transcripts; empty: custody/ beside the data
  std::vector<std::string> files;  // further ones
};
// `audit evidence`: reports, checkpoints, transcripts, keys and states in one archive that the
// vault signs (auditor/evidence.h). Nothing is written unless the log verifies.
ExitCode pack_evidence(const Context& context, EvidenceOptions options);

}  // namespace cardvault::provisioning
