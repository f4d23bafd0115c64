// Makes the mistake that it is told to make, so that sanitized_test.py sees it found.
#include <cstdlib>
#include <limits>
#include <string_view>
#include <thread>

namespace {

int read_freed_memory() {
  int* volatile freed = new int(1);  // the compiler would see it, were it not volatile
  delete freed;
  return *freed;
}

int overflow() {
  volatile int most = std::numeric_limits<int>::max();
  return most + 1;
}

int leak() {
  int* volatile lost = new int(1);
  lost = nullptr;
  return lost == nullptr ? 0 : 1;
}

int race() {
  int shared = 0;
  std::thread other([&] { ++shared; });
  ++shared;
  other.join();
  return shared;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mistake = argc == 2 ? argv[1] : "";
  if (mistake == "address") return read_freed_memory();
  if (mistake == "undefined") return overflow();
  if (mistake == "leak") return leak();
  if (mistake == "thread") return race();
  return EXIT_SUCCESS;
}
