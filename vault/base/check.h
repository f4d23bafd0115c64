// Assertions for bugs: left on in every build, they name their place and abort. Never for input.
#pragma once

#include <cstdio>
#include <cstdlib>

// Aborts when `condition` is false. The text is the condition's source, never a value.
#define CARDVAULT_CHECK(condition)                                              \
  do {                                                                          \
    if (!(condition)) [[unlikely]] {                                            \
      std::fprintf(stderr, "bug: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                             \
    }                                                                           \
  } while (false)
