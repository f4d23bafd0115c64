// How a share reaches its custodian, and how they prove that it did.
#pragma once

#include <string>
#include <vector>

#include "provisioning/ceremony_desk.h"

namespace cardvault::provisioning {

struct DeliveryRules {
  bool read_back = true;  // a share on paper is typed back at once
  std::string banner;     // above every share, in its file too: "REHEARSAL", or empty
  std::string home;       // where the vault is: a medium on the same disk is none
};

// Hands over the custodian's shares after authenticating them. Returns the files it wrote. When it
// throws (TerminalGone, Declined, ToolError), the shares count as not delivered.
std::vector<std::string> deliver(custody::Terminal& terminal, Desk& desk,
                                 const custody::PlanCustodian& who,
                                 const std::vector<const custody::Share*>& shares,
                                 const DeliveryRules& rules);

}  // namespace cardvault::provisioning
