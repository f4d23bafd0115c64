// Which number the next split of a secret gets: shares that were given out are on media and papers,
// so no other may ever be called what they are, however often a try is broken off.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "vault/custody/share_register.h"
#include "vault/custody/transcript.h"

namespace cardvault::provisioning {

class SplitNumbers {
 public:
  // Looks into every transcript of this vault in the folder of `draft`, and into the drafts that
  // broken-off tries left there. `newest`: the transcript that is to be continued.
  SplitNumbers(std::string draft, const custody::Transcript& newest);

  // The draft begins anew with `head` and an entry "begin"; what broken-off tries split stands in
  // it as void before their draft goes. Throws StartupError where another process is at work on it.
  [[nodiscard]] custody::TranscriptWriter begin(const custody::TranscriptHead& head,
                                                const custody::Fields& fields) const;

  // The same for as long as this lives. Throws ToolError after the 255th.
  [[nodiscard]] std::uint8_t next(custody::SecretName secret) const;

 private:
  void count(const std::string& path, const std::string& vault);

  std::string draft_;
  custody::ShareRegister known_;                     // to the transcript that is continued
  std::map<custody::SecretName, unsigned> highest_;  // in any file
};

}  // namespace cardvault::provisioning
