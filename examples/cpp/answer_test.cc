#include "cpp/answer.h"

#include <iostream>

int main() {
    const auto reply = answer("/a\"path");
    const std::string body = "{\"language\": \"C++\", \"path\": \"/a\\\"path\"}\n";
    std::cout << reply;
    return reply.ends_with("\r\n\r\n" + body) ? 0 : 1;
}
