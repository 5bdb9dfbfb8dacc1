#pragma once

#include <string>
#include <string_view>

/// A reply of HTTP whose body is one line of JSON that holds a path.
std::string answer(std::string_view path);
