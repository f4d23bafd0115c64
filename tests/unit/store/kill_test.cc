#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "tests/unit/store/store_fixture.h"
#include "vault/audit/event_codec.h"

namespace cardvault::store {
namespace {

struct Acknowledged {
  std::uint64_t card;  // UINT64_MAX: a reveal
  std::uint64_t seq;
};

// The child: four threads that store cards and record reveals; each acknowledgement goes to the
// pipe after it came, as an answer would.
[[noreturn]] void work_until_killed(const std::filesystem::path& dir, int pipe_fd,
                                    std::uint64_t first_card) {
  StoreOptions options;
  options.checkpoint_pages = 50;  // often, so that kills meet checkpoints too
  const auto store = SqliteStore::open(dir, options);
  std::atomic<std::uint64_t> next = first_card;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (true) {
        const std::uint64_t n = next++;
        const bool reveal = n % 3 == 0;
        const auto seq = reveal ? record(*store, "reveal " + std::to_string(n)).get()
                                : write(*store, [n](core::Transaction& tx, auto&) {
                                    return tx.insert_card(card_row(n, 0));
                                  });
        if (!seq) _exit(1);
        const Acknowledged answer{reveal ? UINT64_MAX : n, *seq};
        if (::write(pipe_fd, &answer, sizeof answer) != sizeof answer) _exit(1);
      }
    });
  }
  while (true) pause();
}

using StoreKill = StoreTest;

TEST_F(StoreKill, NothingAcknowledgedIsLost) {
  open();
  close();
  std::mt19937 random(20261122);
  std::vector<Acknowledged> all;
  std::atomic<int> answers = 0;  // all.size(), for both threads
  for (int round = 0; round < 10; ++round) {
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    const std::uint64_t first_card = static_cast<std::uint64_t>(round) * 10'000'000;
    const pid_t child = fork();
    if (child == 0) work_until_killed(dir_.path(), fds[1], first_card);
    ::close(fds[1]);
    // Reading beside it, so that the pipe never fills.
    std::thread reader([&] {
      Acknowledged answer{};
      while (::read(fds[0], &answer, sizeof answer) == sizeof answer) {
        all.push_back(answer);
        ++answers;
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50 + random() % 250));
    for (int i = 0; answers < 20 * (round + 1) && i < 6000; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    reader.join();
    ::close(fds[0]);
    ASSERT_TRUE(WIFSIGNALED(status));

    open();
    const auto lines = log();
    for (std::size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i].seq, i);
    for (const auto& [card, seq] : all) {
      ASSERT_LT(seq, lines.size());
      const auto operation = audit::parse_event(lines[seq].json, nullptr)->operation;
      if (card == UINT64_MAX) {
        EXPECT_TRUE(operation.starts_with("reveal"));
      } else {
        EXPECT_EQ(operation, "write");
        ASSERT_TRUE(reader_->card(card_row(card, 0).id).value().has_value()) << card;
      }
    }
    close();
  }
  EXPECT_GE(all.size(), 200U);
}

}  // namespace
}  // namespace cardvault::store
