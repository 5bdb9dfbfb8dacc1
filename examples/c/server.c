/* Answers every request with one line of JSON, one after the other, until SIGTERM. */
#include "c/answer.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int number) {
    (void)number;
    _exit(0);
}

static void serve(int connection) {
    char request[4096], path[1024] = "/", reply[2048];
    ssize_t length = read(connection, request, sizeof request - 1);
    if (length <= 0) return;
    request[length] = 0;
    sscanf(request, "%*15s %1023s", path);
    for (char *at = path; *at; at++)
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ') *at = '?';
    size_t size = answer(path, reply, sizeof reply);
    if (write(connection, reply, size) < 0) perror("write");
}

int main(int count, char **words) {
    int port = count > 1 ? atoi(words[1]) : 8080, one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) {
        perror("listen");
        return 1;
    }
    printf("listening on %d\n", port);
    fflush(stdout);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) continue;
        serve(connection);
        close(connection);
    }
}
