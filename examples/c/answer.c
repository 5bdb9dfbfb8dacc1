#include "c/answer.h"

#include <stdio.h>

size_t answer(const char *path, char *buffer, size_t size) {
    char body[512];
    int length = snprintf(body, sizeof body, "{\"hello\": \"world\", \"path\": \"%.256s\", \"c\": %ld}\n", path, __STDC_VERSION__);
    int written = snprintf(buffer, size, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                           "Connection: close\r\n\r\n%s", length, body);
    return written < 0 ? 0 : (size_t)written;
}
