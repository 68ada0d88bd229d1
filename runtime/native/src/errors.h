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

// Whether value lies in low..high, both included; NaN does not.
template <class T, class Low, class High>
void require_range(T value, Low low, High high, const char* argument, const char* reason) {
  require(value >= static_cast<T>(low) && value <= static_cast<T>(high), argument, reason);
}

}  // namespace layoutbrush
