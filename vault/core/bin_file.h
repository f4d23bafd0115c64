// Reads a file of BIN ranges, all of it or none.
#pragma once

#include <expected>
#include <istream>
#include <vector>

#include "vault/core/bin_row.h"

namespace cardvault::core {

inline constexpr std::size_t kMaxBinRows = 2'000'000;

struct BinFile {
  BinTexts texts;
  std::vector<BinRow> rows;  // in the file's order
};

// At least one row, no two with the same range and length; or what is wrong, by line, at most 100.
[[nodiscard]] std::expected<BinFile, std::vector<BinProblem>> read_bin_file(std::istream& in);

}  // namespace cardvault::core
