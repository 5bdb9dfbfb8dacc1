/* Answers every request with one line of JSON - how often its path was asked for, and the path's SHA-256 - until SIGTERM. */
#include "libraries/visits.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
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

static void hex(const char *text, char *out) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_Digest(text, strlen(text), digest, &size, EVP_sha256(), NULL);
    for (unsigned int at = 0; at < size; at++) sprintf(out + 2 * at, "%02x", digest[at]);
}

static void serve(int connection) {
    char request[4096], path[1024] = "/", body[2048], reply[4096], digest[2 * EVP_MAX_MD_SIZE + 1] = "";
    ssize_t length = read(connection, request, sizeof request - 1);
    if (length <= 0) return;
    request[length] = 0;
    sscanf(request, "%*15s %1023s", path);
    for (char *at = path; *at; at++)
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ') *at = '?';
    hex(path, digest);
    int size = snprintf(body, sizeof body, "{\"path\": \"%s\", \"visits\": %d, \"sha256\": \"%s\"}\n", path, visit(path), digest);
    size = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                    "Connection: close\r\n\r\n%s", size, body);
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
