#include "app/greeting.h"
#include <stdio.h>
#include <zlib.h>

int main(void) { return puts(greeting) < 0 || crc32(0, Z_NULL, 0) != 0; }
