// Answers every request with one line of JSON, each on a thread of its own, until SIGTERM.
#include "cpp/answer.h"

#include <arpa/inet.h>
#include <csignal>
#include <iostream>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace {

void serve(int connection) {
    char request[4096];
    if (const auto length = read(connection, request, sizeof request); length > 0) {
        const std::string_view text(request, length);
        const auto begin = text.find(' ') + 1;
        const auto reply = answer(text.substr(begin, text.find(' ', begin) - begin));
        if (write(connection, reply.data(), reply.size()) < 0) std::cerr << "the reader left\n";
    }
    close(connection);
}

int listen_at(std::uint16_t port) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) || listen(listener, 16))
        throw std::system_error(errno, std::generic_category(), "listen");
    return listener;
}

}  // namespace

int main(int count, char **words) {
    std::signal(SIGTERM, [](int) { _exit(0); });
    std::signal(SIGPIPE, SIG_IGN);
    const int listener = listen_at(count > 1 ? std::stoi(words[1]) : 8080);
    std::cout << "listening" << std::endl;
    for (;;)
        if (const int connection = accept(listener, nullptr, nullptr); connection >= 0)
            std::thread(serve, connection).detach();
}
