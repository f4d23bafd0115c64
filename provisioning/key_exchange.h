// The exchange of a token's folder (DESIGN 4.2, traps 1 and 2): the live one is never written.
#pragma once

#include <optional>
#include <string>

#include "vault/base/fd.h"

namespace cardvault::provisioning {

// What a change does, for whoever has to finish it.
struct TokenChangeNote {
  std::string verb;  // "make", "destroy", "renew"
  std::string label;
  std::string kind, kcv, kcv_kind;  // of a key that was made, as KeyReport
};

// FOLDER.change beside the token's folder holds the copy, and after the exchange the old token:
//
//   FOLDER/generation      how many exchanges there were; SoftHSM looks at folders only
//   FOLDER.change/token    the copy; after the exchange what was live before
//   FOLDER.change/note     the change is complete and on disk
//   FOLDER.change/done     the vault has confirmed the new token: the old one may go
//
// A process that is killed leaves one of three things, and the next one to come puts it right:
// without a note, or with one and the folders not exchanged, the copy is thrown away; exchanged,
// the change is unfinished() and has to be confirmed or taken back; done, the rest is wiped.
//
// One at a time on a machine: the parent folder is locked. Every function throws ToolError(kLocal)
// with what to do; nothing is lost then. Not thread-safe.
class TokenExchange {
 public:
  // Locks, and settles what a killed process left.
  explicit TokenExchange(std::string folder);
  TokenExchange(const TokenExchange&) = delete;             // owns the lock
  TokenExchange& operator=(const TokenExchange&) = delete;  // owns the lock

  // A change whose token is live and not confirmed.
  [[nodiscard]] const std::optional<TokenChangeNote>& unfinished() const { return unfinished_; }
  // Whether a copy was thrown away when this was made.
  [[nodiscard]] bool rolled_back() const { return rolled_back_; }

  // Copies the live token; returns the copy's folder, which is this account's to write.
  [[nodiscard]] std::string stage();
  // Throws the copy away. REQUIRES not unfinished().
  void discard();
  // Gives the copy the owners and modes of the live token, syncs it, and exchanges the two. From
  // here on the change is unfinished().
  void exchange(const TokenChangeNote& note);
  // Exchanges back: the old token is live again, and the changed one is wiped.
  void take_back();
  // The vault works with the new token: the old one is overwritten and removed.
  void confirm();

 private:
  [[nodiscard]] unsigned long generation_of(const std::string& folder) const;
  [[nodiscard]] std::string copy() const { return change_ + "/token"; }
  void settle();
  void swap() const;
  void sync_swapped() const;
  void remove_change();

  std::string folder_, parent_, change_;
  base::Fd lock_;
  bool rolled_back_ = false;
  std::optional<TokenChangeNote> unfinished_;
};

}  // namespace cardvault::provisioning
