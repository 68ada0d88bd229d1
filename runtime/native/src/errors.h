// Refusals name the argument at fault; the C interface turns them into a return value, the ORT adapter into a status.
#pragma once
#include <stdexcept>
#include <string>

namespace layoutbrush {

class ArgumentError : public std::runtime_error {
 public:
  ArgumentError(const std::string& argument, const std::string& reason) : std::runtime_error(argument + ": " + reason) {}
};

inline void require(bool holds, const char* argument, const char* reason) {
  if (!holds) throw ArgumentError(argument, reason);
}

}  // namespace layoutbrush
