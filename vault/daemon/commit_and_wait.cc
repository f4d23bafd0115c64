#include "vault/daemon/commit_and_wait.h"

#include <future>

#include "vault/daemon/announcement.h"

namespace cardvault::daemon {

base::Result<void> commit_and_wait(
    core::Committer& committer,
    std::move_only_function<base::Result<void>(core::Transaction&, core::EventSink&)> decide,
    std::move_only_function<void()> after) {
  std::promise<base::Result<void>> outcome;
  committer.submit(
      std::make_unique<Effect>(std::move(decide), [&](const base::Result<core::Receipt>& receipt) {
        if (receipt && after) after();
        outcome.set_value(receipt ? base::Result<void>()
                                  : base::Result<void>(std::unexpected(receipt.error())));
      }));
  return outcome.get_future().get();
}

}  // namespace cardvault::daemon
