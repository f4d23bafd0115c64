// A vault without a vault: speaks the gate protocol and gives canned answers, so that a gate can be
// tested and measured alone. It stores nothing and checks nothing.
//
//   fake_vault SOCKET [--mute] [--version N]
//
// A token's suffix chooses the answer: "tok_missing" is not there, "tok_slow" comes after 3 s.
// After the card "many" come more than anybody should have.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <type_traits>

#include "protocol/wire/codec.h"

namespace {

namespace core = cardvault::core;
namespace wire = cardvault::wire;
using cardvault::base::Code;

core::CardView card(const std::string& token) {
  core::CardView c;
  c.token = token;
  c.masked = "411111******1111";
  c.last4 = "1111";
  c.brand = "visa";
  c.country = "KZ";
  c.currency = "KZT";
  c.expiry = "2027-12";
  c.created_ms = 1795000000123;
  return c;
}

core::DetokenizeOutcome reveal(const core::DetokenizeItem& item) {
  if (item.token == "tok_missing") return core::Failure{Code::kTokenNotFound, 0};
  if (item.mask) return core::Masked{"411111******1111", "2027-12"};
  return core::Revealed{cardvault::base::SecretText("4111111111111111"), "2027-12"};
}

struct Answerer {
  core::Answer operator()(const core::Tokenize& r) const {
    core::TokenizeAnswer answer;
    answer.batch = r.batch;
    for (const core::TokenizeItem& item : r.items) {
      if (item.pan.empty() || item.pan.size() > 19) {
        answer.items.emplace_back(core::Failure{Code::kInvalidPan, 0});
      } else {
        answer.items.emplace_back(card("tok_01hzzzzzzzzzzzzzzzzzzzzzzz"));
        std::get<core::CardView>(answer.items.back()).metadata = item.metadata;
      }
    }
    return answer;
  }
  core::Answer operator()(const core::Detokenize& r) const {
    core::DetokenizeAnswer answer;
    answer.batch = r.batch;
    for (const core::DetokenizeItem& item : r.items) answer.items.push_back(reveal(item));
    return answer;
  }
  core::Answer operator()(const core::CardsSearch& r) const {
    if (r.after == "many") {
      return core::SearchAnswer{std::vector(4000, card("tok_01hzzzzzzzzzzzzzzzzzzzzzzz")), ""};
    }
    return core::SearchAnswer{{card("tok_a"), card("tok_b")}, ""};
  }
  core::Answer operator()(const core::TokenGet& r) const {
    if (r.token == "tok_missing") return core::Failure{Code::kTokenNotFound, 0};
    if (r.token == "tok_slow") std::this_thread::sleep_for(std::chrono::seconds(3));
    return card(r.token);
  }
  core::Answer operator()(const core::Whoami&) const {
    return core::WhoamiAnswer{"web", {"tokenize"}, {"payment"}, {{"reveals_per_hour", 10, 9, 0}}};
  }
  core::Answer operator()(const core::MetricsRead&) const {
    return core::MetricsAnswer{"# HELP cardvault_up Fake.\ncardvault_up 1\n"};
  }
  core::Answer operator()(const core::ReadyCheck&) const {
    return core::ReadyAnswer{true, "ready", {"fake"}};
  }
  core::Answer operator()(const core::Refused& r) const {
    std::printf("refused %s %s\n", cardvault::base::code_name(r.code).data(), r.operation.c_str());
    return core::Failure{r.code, 0};
  }
  template <class Other>
  core::Answer operator()(const Other&) const {
    return core::Done{};
  }
};

// As the vault: noted, not answered.
bool is_flood(const core::Request& request) {
  const auto* flood = std::get_if<core::Flood>(&request);
  if (flood == nullptr) return false;
  std::printf("flood %s %s %llu\n", flood->source.c_str(), flood->reason.c_str(),
              static_cast<unsigned long long>(flood->count));
  return true;
}

int connect_to(const char* path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    std::perror("connect");
    std::exit(1);
  }
  return fd;
}

void send_all(int fd, cardvault::base::SecretBuffer& out) {
  for (std::size_t at = 0; at < out.size();) {
    const ssize_t n = ::send(fd, out.data() + at, out.size() - at, MSG_NOSIGNAL);
    if (n <= 0) std::exit(0);
    at += static_cast<std::size_t>(n);
  }
  cardvault::base::wipe(out.data(), out.size());
  out.clear();
}

}  // namespace

int main(int argc, char** argv) {
  bool mute = false;
  wire::Hello hello{wire::kProtocolVersion, "fake"};
  for (int i = 2; i < argc; ++i) {
    if (std::string(argv[i]) == "--mute") mute = true;
    if (std::string(argv[i]) == "--version" && i + 1 < argc) {
      hello.version = static_cast<std::uint32_t>(std::atoi(argv[i + 1]));
    }
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int fd = connect_to(argc > 1 ? argv[1] : "");
  cardvault::base::SecretBuffer out;
  wire::encode(out, 0, hello);
  send_all(fd, out);
  wire::FrameReader reader;
  for (;;) {
    const auto space = reader.space();
    const ssize_t n = ::recv(fd, space.data(), space.size(), 0);
    if (n <= 0) return 0;
    reader.filled(static_cast<std::size_t>(n));
    unsigned frames = 0;
    for (;;) {
      const auto frame = reader.next();
      if (!frame) return 2;
      if (!frame->has_value()) break;
      if ((*frame)->type != wire::FrameType::kRequest || mute) continue;
      const auto request = wire::decode_request((*frame)->payload);
      if (!request) return 3;
      if (is_flood(request->request)) continue;
      wire::encode(out, (*frame)->id, std::visit(Answerer{}, request->request));
      if (++frames % 8 == 0) send_all(fd, out);
    }
    send_all(fd, out);
  }
}
