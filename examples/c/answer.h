/* What the service says. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stddef.h>

/* Writes an HTTP answer to a request for `path` into `buffer` of `size` bytes; gives its length. */
size_t answer(const char *path, char *buffer, size_t size);

#endif
