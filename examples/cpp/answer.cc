#include "cpp/answer.h"

#include <iomanip>
#include <sstream>

std::string answer(std::string_view path) {
    std::ostringstream body, reply;
    body << "{\"language\": \"C++\", \"path\": " << std::quoted(path) << "}\n";
    reply << "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " << body.view().size()
          << "\r\nConnection: close\r\n\r\n" << body.view();
    return reply.str();
}
