#include "libraries/visits.h"

#include <stdio.h>

int main(void) {
    if (visit("/a") != 1 || visit("/b") != 1 || visit("/a") != 2) {
        puts("visits are not counted");
        return 1;
    }
    return 0;
}
